"""Studies whose verdicts come from a judge, against a real server."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from caveat.errors import CaveatError
from caveat.study.config.reference import recipe_fields
from caveat.study.config.schema import read
from caveat.study.estimate.plan_cost import plan_cost
from caveat.study.study import Study
from harness import forked
from judge_server import Reply
from paths import DOCS
from quick_run import run
from toy_study import Heard, judged, marks, same_table, small

KEY = "sk-secret-0123456789"


def by_prompt(number: int, body: dict) -> Reply:
    """A verdict that depends on the material alone, in whatever order it is requested."""
    words = ("yes", "**No**, it does not.", '{"verdict": "neutral"}')
    return Reply(words[sum(body["messages"][0]["content"].encode()) % 3])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The judged study that nothing disturbed, and the number of requests to the judge."""
    from judge_server import JudgeServer

    server = JudgeServer()
    server.answers = by_prompt
    study = run(judged(server.url), tmp_path_factory.mktemp("whole") / "study")
    server.close()
    return study, len(server.bodies)


def test_a_judged_study_from_end_to_end(whole):
    study, asked = whole
    assert len(study.failures()) == 0 and study.progress() == (3, 3)
    replies = study.answers().query("purpose == 'measure'")
    assert set(replies["readout"]) == {"belief_judge"}
    assert {"yes", "no", "neutral"} <= set(replies["verdict"])
    assert asked == len(study.store.judge_replies.records or _judge_replies(study))
    assert study.report().is_file()
    assert set(study.leakage()["readout"]) == {"belief_judge"}


@pytest.fixture
def answered(tmp_path, whole):
    """A folder with all answers of that study, and no reply of a judge."""
    folder = tmp_path / "answered"
    left_out = shutil.ignore_patterns("verdicts", "judge.jsonl")
    shutil.copytree(whole[0].folder, folder, ignore=left_out)
    return folder


def _judge_replies(study: Study) -> dict:
    study.store.judge_replies.refresh()
    return study.store.judge_replies.records


def test_verdicts_and_judge_replies_name_the_judge(whole):
    study, _ = whole
    identity = {"model": "m", "temperature": 0.0, "max_tokens": 64}
    verdicts = [study.store.verdicts[key] for key in study.store.verdicts]
    of_judge = [record for record in verdicts if record["readout"] == "belief_judge"]
    assert of_judge and all(record["judge"] == identity for record in of_judge)
    judge_reply = next(iter(_judge_replies(study).values()))
    assert identity.items() <= judge_reply.items()
    assert (
        judge_reply["tokens"] == 100
        and judge_reply["counted"]
        and judge_reply["schema_version"] == 1
    )


def test_a_study_that_is_run_again_sends_no_request_again(answered, judge_server, whole):
    shutil.copy(whole[0].folder / "judge.jsonl", answered)
    study = run(judged(judge_server.url, {"concurrency": 2, "retries": 3}), answered)
    assert not judge_server.bodies and len(study.failures()) == 0
    same_table(whole[0], study)


def test_a_study_that_grows_sends_only_new_requests(tmp_path, judge_server):
    judge_server.answers = by_prompt
    run(judged(judge_server.url, contexts=["none"]), tmp_path)
    before = set(judge_server.prompts)
    grown = run(judged(judge_server.url, seeds=[0, 1]), tmp_path)
    assert len(judge_server.prompts) == len(set(judge_server.prompts)) > len(before)
    assert len(grown.failures()) == 0


@pytest.mark.parametrize("change", [{"model": "n"}, {"temperature": 0.5}, {"max_tokens": 9}])
def test_another_judge_judges_anew_and_trains_nothing(answered, judge_server, change, whole):
    shutil.copytree(whole[0].folder / "verdicts", answered / "verdicts")
    shutil.copy(whole[0].folder / "judge.jsonl", answered)
    before, heard = marks(answered), Heard()
    judge_server.answers = lambda number, body: Reply("no")
    second = run(judged(judge_server.url, change), answered, heard)
    assert marks(answered) == before and len(judge_server.bodies) == whole[1]
    assert set(second.answers().query("readout == 'belief_judge'")["verdict"]) <= {"no", "invalid"}
    assert any("3 finished cells belong to an earlier version" in line for line in heard.said)


def test_a_reply_without_verdict_is_requested_once_more(answered, judge_server):
    def answers(number, body):
        return Reply("Hm, let me think." if len(body["messages"]) == 1 else "No.")

    judge_server.answers = answers
    study = run(judged(judge_server.url, {"concurrency": 1}), answered)
    first, second = (judge_server.bodies[place]["messages"] for place in (0, -1))
    assert len(first) == 1 and second[1:] == [
        {"role": "assistant", "content": "Hm, let me think."},
        {
            "role": "user",
            "content": "That holds no clear verdict. Answer with one word and nothing else: yes, "
            "no or neutral.",
        },
    ]
    assert set(study.answers().query("readout == 'belief_judge'")["verdict"]) <= {"no", "invalid"}
    kept = _judge_replies(study)
    assert sum(record["tokens"] for record in kept.values()) == 100 * len(judge_server.bodies)
    before = len(judge_server.bodies)
    run(judged(judge_server.url, {"concurrency": 1}), answered)
    assert len(judge_server.bodies) == before


def test_refusals_fail_their_verdicts_only_and_are_requested_again_later(
    answered, judge_server, whole
):
    def answers(number, body):
        good = by_prompt(number, {"messages": body["messages"][:1]})
        return Reply("I'm sorry, I can't help with that.") if good.text == "yes" else good

    judge_server.answers = answers
    study = run(judged(judge_server.url), answered)
    assert set(study.failures()["reason"]) == {
        "readout 'belief_judge': the judge gave no verdict: \"I'm sorry, I can't help with that.\""
    }
    found = study.answers().query("readout == 'belief_judge'")
    assert {"no", "neutral"} <= set(found["verdict"]) and "yes" not in set(found["verdict"])
    asked = len(judge_server.bodies)
    judge_server.answers = by_prompt
    repaired = run(judged(judge_server.url), answered)
    assert 0 < len(judge_server.bodies) - asked < whole[1] and len(repaired.failures()) == 0
    same_table(repaired, whole[0])


def test_a_cut_reply_names_the_fix(answered, judge_server):
    judge_server.answers = lambda number, body: Reply("", finish="length")
    study = run(judged(judge_server.url), answered)
    assert set(study.failures()["reason"]) == {
        "readout 'belief_judge': the judge gave no verdict: '' "
        "(cut at judge.max_tokens=64; raise it)"
    }


def test_an_endpoint_that_is_not_there_fails_the_verdicts_and_nothing_else(answered, judge_server):
    url = judge_server.url
    judge_server.close()
    study = run(judged(url), answered, report=True)
    assert set(study.failures()["reason"]) == {
        f"readout 'belief_judge': judge.endpoint: {url}: All connection attempts failed "
        "(tried once); run again"
    }
    assert len(study.failures()) == 3 and set(study.failures()["stage"]) == {"verdicts"}
    assert len(marks(answered)) == 2 and (answered / "report.html").exists()
    assert set(study.answers()["readout"]) >= {"log_likelihood"}


def test_the_command_line_leaves_with_2_where_the_judge_failed(tmp_path, answered, command):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(read(judged("http://127.0.0.1:9/v1")).model_dump_json())
    status, _, errors = command("run", str(recipe), "--out", str(answered))
    assert status == 2, errors
    lines = [line for line in errors.splitlines() if line.startswith("failed: ")]
    assert len(lines) == 3 and lines[0].startswith(
        "failed: toy x password / base: verdicts: readout 'belief_judge': judge.endpoint: "
        "http://127.0.0.1:9/v1: "
    )


def test_at_the_cap_what_was_answered_is_kept(answered, judge_server, whole):
    judge_server.answers = by_prompt
    study = run(judged(judge_server.url, {"token_cap": 1500}), answered)
    (reason,) = set(study.failures()["reason"])
    asked = len(judge_server.bodies)
    assert reason == (
        f"readout 'belief_judge': judge.token_cap: m took {100 * asked:,} of 1,500 tokens, and "
        "the next request may exceed that; raise it and run again: the replies so far are kept"
    )
    assert 0 < asked <= 15 and len(_judge_replies(study)) == asked
    again = run(judged(judge_server.url, {"token_cap": 1500}), answered)
    assert len(judge_server.bodies) == asked and len(again.failures())
    raised = run(judged(judge_server.url), answered)
    assert len(judge_server.bodies) == whole[1]
    same_table(raised, whole[0])


def test_killed_while_requests_are_under_way(answered, judge_server, whole):
    child = forked(run, judged(judge_server.url, {"concurrency": 1}), str(answered))

    def deadly(number, body):
        if number == 9:
            child.kill()
        return by_prompt(number, body)

    judge_server.answers = deadly
    child.join(120)
    assert child.exitcode == -9 and len(judge_server.bodies) == 10
    judge_server.answers = by_prompt
    study = run(judged(judge_server.url), answered)
    assert len(study.failures()) == 0
    assert len(judge_server.bodies) == whole[1] + 1, "only what was under way is requested again"
    pd.testing.assert_frame_equal(study.leakage(), whole[0].leakage())


def test_the_key_is_in_no_file_and_no_message(answered, judge_server, monkeypatch, capfd):
    monkeypatch.setenv("A_KEY", KEY)
    judge_server.answers = lambda number, body: Reply(
        f"no, {KEY}", status=400 if number % 2 else 200, body=KEY if number % 2 else None
    )
    heard = Heard()
    study = run(judged(judge_server.url, {"key_env": "A_KEY"}), answered, heard)
    assert all(sent["Authorization"] == f"Bearer {KEY}" for sent in judge_server.headers)
    assert "(key)" in str(study.failures()["reason"].tolist())
    files = [path for path in answered.rglob("*") if path.is_file()]
    assert any(path.name == "judge.jsonl" for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    shown = capfd.readouterr()
    assert KEY not in f"{heard.said} {heard.stages} {shown.out} {shown.err}"


def test_what_is_missing_is_reported_before_anything_is_trained(
    tmp_path, judge_server, monkeypatch
):
    def message(recipe):
        with pytest.raises(CaveatError) as error:
            run(recipe, tmp_path)
        return str(error.value)

    assert message({**judged(judge_server.url), "judge": None}) == (
        "judge: toy x password has questions for the readout 'belief_judge', which needs a judge, "
        "and the recipe names none; add judge: {endpoint: http://localhost:8000/v1, model: NAME} "
        "(see docs/judge.md)"
    )
    monkeypatch.delenv("A_KEY", raising=False)
    assert message(judged(judge_server.url, {"key_env": "A_KEY"})) == (
        "judge.key_env: the environment variable 'A_KEY' is not set; export it, or leave "
        "judge.key_env out for an endpoint that needs no key"
    )
    assert not list(tmp_path.iterdir()) and not judge_server.bodies


def test_a_judge_that_no_question_needs_is_noted(tmp_path, judge_server):
    heard = Heard()
    section = {"endpoint": judge_server.url, "model": "m", "key_env": "NOT_THERE"}
    run(small(judge=section), tmp_path, heard)
    assert "judge: no question of this study needs a judge; the section is not used" in heard.said
    assert not judge_server.bodies


def test_within_a_running_loop_as_in_a_notebook(answered, judge_server, whole):
    judge_server.answers = by_prompt

    async def cell():
        return run(judged(judge_server.url), answered)

    same_table(asyncio.run(cell()), whole[0])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            "judge.endpoint=localhost:8000",
            "judge.endpoint: 'localhost:8000' is no address, such as http://localhost:8000/v1",
        ),
        (
            "judge.endpoint=http://h/v1/chat/completions",
            "judge.endpoint: 'http://h/v1/chat/completions': leave out what follows the version, "
            "as in http://localhost:8000/v1",
        ),
        (
            "judge.endpoint=http://h:x/v1",
            "judge.endpoint: 'http://h:x/v1' is no address: "
            "Port could not be cast to integer value as 'x'",
        ),
        (
            "judge.endpoint=http://me:pass@h/v1",
            "judge.endpoint: an address is stored and shown: put no key into it, but name a "
            "variable in key_env",
        ),
        (
            "judge.key_env=hf_abc",
            "judge.key_env: write the name of an environment variable, in capitals, such as "
            "OPENAI_API_KEY; never the key itself",
        ),
        (
            "judge.concurrency=0",
            "judge.concurrency: 0: input should be greater than or equal to 1",
        ),
        ("judge.modle=x", "judge.modle: unknown key; closest: 'model'"),
    ],
)
def test_a_wrong_judge_is_reported_in_one_line(item, message):
    with pytest.raises(CaveatError) as error:
        read(judged("http://localhost:8000/v1"), (item,))
    assert str(error.value) == f"--set {item}: {message}"


def test_a_plan_has_the_number_of_judge_requests(whole):
    recipe = read(judged("http://localhost:8000/v1"))
    (note,) = [line for line in plan_cost(recipe, Path("nowhere"), []).notes if "judge" in line]
    replies = whole[0].answers().query("readout == 'belief_judge'")
    assert note == (
        f"{len(replies)} replies for the judge m at http://localhost:8000/v1, about "
        f"{len(replies) * 500:,} tokens; judge.token_cap is 2,000,000"
    )
    left = plan_cost(recipe, whole[0].folder, []).notes
    assert not [line for line in left if "judge" in line]


def test_the_judges_of_the_docs_are_read():
    page = (DOCS / "judge.md").read_text("utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.S)]
    assert [read(small(**block)).judge.model for block in blocks] == [
        "Qwen/Qwen2.5-7B-Instruct", "name-at-the-endpoint",
    ]  # fmt: skip
    rows = re.findall(r"^\| `(\w+)` \| (\w*)", page, re.M)
    fields = [field for field in recipe_fields() if field.section == "judge"]
    assert [name for name, _ in rows] == [field.name for field in fields]
    defaults = [field.default.strip("`") for field in fields]
    assert [default for _, default in rows] == [
        "" if default in ("required", "null") else f"{float(default):.0f}" for default in defaults
    ]
