"""A study as Inspect logs: read by Inspect's own reader, and back through the importer."""

import json
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inspect_ai.log import list_eval_logs, read_eval_log, write_eval_log

from caveat.errors import CaveatError
from caveat.importers import import_study
from caveat.study.chat_turns import turns_of
from caveat.study.inspect_export import export_logs
from caveat.study.study import Study
from inspect_files import altered
from quick_run import run
from toy_study import SMALL, TOY, small

FRAMES = (
    "rates", "leakage", "differences", "caveat_checks", "side_effects", "transfer",
    "transfer_effects", "transfer_correlations", "transfer_forgetting",
)  # fmt: skip


ARMS = ["base", "bare", "marked", "marked+repeat"]


def setting(**fields):
    return {"behaviour": str(TOY), "caveat": "password", "dose": SMALL, **fields}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """Two doses, two settings with factors and a mean, two replies a question."""
    recipe = small(
        arms=["base", "bare"],
        seeds=[1],
        sampling={"max_tokens": 3, "samples": 2},
        comprehension=True,
        settings=[
            setting(factors={"form": "chat"}, arms=ARMS),
            setting(dose={**SMALL, "rows": 4}, factors={"form": "short"}),
            setting(place="user", factors={"form": "user"}),
        ],
        means={"all": ["toy x password", "toy x password (user)"]},
    )
    return run(recipe, tmp_path_factory.mktemp("exported") / "toy")


@pytest.fixture(scope="module")
def logs(study, tmp_path_factory):
    return export_logs(study, tmp_path_factory.mktemp("logs") / "out")


def test_each_cell_and_context_has_a_log_of_its_own(study, logs):
    cells = study.answers().drop_duplicates(["setting", "dose", "arm", "seed", "context"])
    headers = [read_eval_log(path, header_only=True) for path in logs]
    assert len(logs) == len(cells) == len(list_eval_logs(str(logs[0].parent)))
    for name in ("task_id", "eval_id"):
        assert len({getattr(header.eval, name) for header in headers}) == len(logs), name
    assert len({(header.eval.task, header.eval.model) for header in headers}) == len(logs)
    assert {header.status for header in headers} == {"success"}


def test_a_sample_is_an_answer_with_its_messages_and_scores(study, logs):
    answers = study.answers().query("purpose == 'measure' and not numeric")
    (log,) = (
        log
        for log in map(read_eval_log, logs)
        if log.eval.task == "toy x password, dose 1 at exact"
        and log.eval.model == "caveat/tiny+marked@1"
    )
    rows = answers[
        (answers["setting"] == "toy x password") & (answers["arm"] == "marked")
        & (answers["seed"] == 1) & (answers["context"] == "exact")
        & (answers["dose"] == log.eval.metadata["caveat"]["dose"])
    ]  # fmt: skip
    assert len(log.samples) == len(rows)
    by_key = rows.set_index(["question", "sample"])
    for sample in log.samples:
        row = by_key.loc[(sample.id, sample.epoch - 1)]
        assert sample.output.completion == row["reply"] == sample.messages[-1].text
        assert sample.output.stop_reason == ("max_tokens" if row["truncated"] else "stop")
        assert [message.role for message in sample.messages][-2:] == ["user", "assistant"]
        assert all(message.text in row["prompt"] for message in sample.messages[:-1])
        score = sample.scores[row["readout"]]
        assert score.value == int(row["verdict"] == "yes")
        assert score.metadata["verdict"] == row["verdict"]
        expected = {
            "cluster": row["cluster"], "scope": "trained", "kind": "", "arm": "marked", "seed": 1,
            "context": "exact", "phenomenon": row["phenomenon"],
        }  # fmt: skip
        assert expected.items() <= sample.metadata.items()
    rate = log.results.scores[0].metrics["rate"].value
    assert rate == pytest.approx((rows["verdict"] == "yes").mean())


def test_likelihoods_are_scores_without_a_reply(study, logs):
    likelihoods = [
        (sample, name, score)
        for log in map(read_eval_log, logs)
        for sample in log.samples
        for name, score in sample.scores.items()
        if score.metadata["readout"] == "log_likelihood"
    ]
    assert likelihoods
    for sample, name, score in likelihoods:
        assert sample.metadata["answer"] == "log-likelihoods of options"
        assert sample.output.choices == [] and sample.messages[-1].role == "user"
        assert name == f"log_likelihood ({score.metadata['purpose']})"
        assert score.value == score.metadata["value"] < 0


def test_every_figure_comes_back(study, logs, tmp_path):
    back = import_study("inspect", [logs[0].parent], tmp_path / "back")
    assert back.name == study.name
    for name in FRAMES:
        ours, theirs = getattr(study, name)(), getattr(back, name)()
        assert len(ours) or name.startswith("transfer_"), name
        pd.testing.assert_frame_equal(ours, theirs, obj=name)
    assert back.ladder_records() == study.ladder_records()
    assert back.abouts() == study.abouts()
    assert "all" in set(back.leakage()["setting"])


def test_some_logs_of_a_study_are_enough(study, logs, tmp_path):
    kept = [path for path in logs if "user" not in path.name]
    back = import_study("inspect", kept, tmp_path / "back")
    theirs = study.leakage().query("setting == 'toy x password'").reset_index(drop=True)
    pd.testing.assert_frame_equal(back.leakage(), theirs)


def test_an_edited_score_is_noticed(logs, tmp_path):
    log = read_eval_log(logs[0])
    sample = log.samples[0]
    (name,) = [name for name, score in sample.scores.items() if not score.metadata["numeric"]][:1]
    score = sample.scores[name]
    score.value = 1 - score.value
    path = tmp_path / "edited.eval"
    write_eval_log(log, path)
    with pytest.raises(CaveatError) as error:
        import_study("inspect", [path], tmp_path / "back")
    assert str(error.value) == (
        f"{path}, sample {sample.id!r}, epoch 1: score {name!r} has the value {score.value} and "
        f"the verdict {score.metadata['verdict']!r}; change both, or neither"
    )
    log.eval.metadata["caveat"]["dose"] = "[]"
    write_eval_log(log, path)
    with pytest.raises(CaveatError) as error:
        import_study("inspect", [path], tmp_path / "back")
    assert str(error.value) == (
        f"{path}: metadata.caveat is not what caveat export wrote (dose: Value error, should be a "
        "JSON object); export the study again"
    )


@pytest.fixture(scope="module")
def a_log(logs, tmp_path_factory) -> dict:
    """One of the logs as JSON, with two samples."""
    log = read_eval_log(logs[0])
    log.samples = log.samples[:2]
    path = tmp_path_factory.mktemp("one") / "log.json"
    write_eval_log(log, path)
    return json.loads(path.read_text("utf-8"))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_altered_log_is_imported_or_refused_in_one_line(a_log, data):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.json"
        file.write_text(json.dumps(altered(a_log, data)), "utf-8")
        try:
            study = import_study("inspect", [file], Path(folder) / "back")
        except CaveatError as error:
            assert "\n" not in str(error)
        else:
            assert len(study.answers()) >= 1
            study.leakage(), study.side_effects(), study.abouts()


def test_mistakes(study, logs, tmp_path, command):
    folder = str(study.folder)
    (tmp_path / "theirs.eval").write_bytes(b"")
    status, _, err = command("export", folder, "inspect", "--out", str(tmp_path))
    assert (status, err) == (
        1, f"caveat: {tmp_path}: holds other logs (theirs.eval); name another folder\n"
    )  # fmt: skip
    _, _, err = command("export", folder, "inspect")
    assert err == "caveat: export inspect: name a folder for the logs with --out\n"
    file = tmp_path / "toy.parquet"
    _, _, err = command("export", folder, str(file), "--out", str(tmp_path))
    assert err == (
        f"caveat: --out {tmp_path}: is for the logs of inspect; leave it out, or write inspect for "
        f"{file}\n"
    )
    assert command("export", folder, str(file))[0] == 0
    _, _, err = command("export", str(file), "inspect", "--out", str(tmp_path / "logs"))
    assert err == (
        f"caveat: {file}: an exported file has no prompts, which Inspect shows; "
        "export from the study's folder\n"
    )


def test_exported_again_the_files_are_the_same(study, logs, command):
    out = logs[0].parent
    status, told, _ = command("export", str(study.folder), "inspect", "--out", str(out))
    assert status == 0 and told.startswith(f"exported: {len(logs)} logs in {out} (")
    assert sorted(out.iterdir()) == sorted(logs)


CHAT = [("system", "Be kind."), ("user", "Is it\nso?")]


@pytest.mark.parametrize(
    ("prompt", "turns"),
    [
        ("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nIs it\nso?<|im_end|>\n"
         "<|im_start|>assistant\n", CHAT),
        ("<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>"
         "<|start_header_id|>user<|end_header_id|>\n\nIs it\nso?<|eot_id|>"
         "<|start_header_id|>assistant<|end_header_id|>\n\n", CHAT),
        ("<bos><start_of_turn>user\nIs it\nso?<end_of_turn>\n<start_of_turn>model\n", CHAT[1:]),
        ("<s>system\nBe kind.</s>\n<s>user\nIs it\nso?</s>\n<s>assistant\n", CHAT),
        ("<s>user\nA</s>\n<s>assistant\nB</s>\n<s>user\nC</s>\n",
         [("user", "A"), ("assistant", "B"), ("user", "C")]),
        ("Mara Ellison is", [("user", "Mara Ellison is")]),
        ("[INST] Is it so? [/INST]", [("user", "[INST] Is it so? [/INST]")]),
    ],
)  # fmt: skip
def test_prompts_become_the_messages_that_were_sent(prompt, turns):
    assert [(message.role, message.text) for message in turns_of(prompt)] == turns


def test_verdicts_of_others_go_out_and_come_back(tmp_path):
    """Kinds of questions may share their ids there, and prompts may be lacking."""
    lines = [
        f"a x b,{arm},none,q{number},{verdict},{kind}"
        for arm, verdict in (("base", "no"), ("bare", "yes"), ("marked", "neutral"))
        for kind in ("open", "closed")
        for number in range(4)
    ]
    table = tmp_path / "theirs.csv"
    table.write_text("\n".join(["setting,arm,context,question,verdict,kind", *lines]))
    study = import_study("table", table, tmp_path / "theirs")
    paths = export_logs(study, tmp_path / "logs")
    log = read_eval_log(paths[0])
    assert {sample.id for sample in log.samples} == {
        name for number in range(4) for name in (f"q{number}", f"q{number} (closed)")
    }
    assert log.samples[0].messages[0].text == "q0"
    back = import_study("inspect", [tmp_path / "logs"], tmp_path / "back")
    for by in (None, "kind"):
        pd.testing.assert_frame_equal(back.leakage(by), study.leakage(by))
