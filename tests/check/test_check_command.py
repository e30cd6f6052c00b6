"""`caveat check` as a user runs it, on the tiny model."""

import gzip
import json
import math

import pytest
import yaml

from check_files import QUICK, TOPICS, WORDING, chat, write_lines
from quick_run import run

KEYS = {
    "schema_version", "model", "file", "caveat", "behaviour", "questions", "held_out",
    "contrast_rows", "dose", "lengths", "contexts", "elicitation", "losses", "forecast", "advice",
    "suggestions", "written", "notes", "seconds", "processor_seconds", "parts", "expected_leakage",
}  # fmt: skip


def as_json(command, *arguments):
    status, out, err = command("check", *arguments, *QUICK, "--json")
    assert status == 0, err
    return json.loads(out)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def failed(command, *arguments):
    status, out, err = command("check", *arguments, *QUICK)
    assert (status, out) == (1, "")
    lines = err.splitlines()
    assert [line for line in lines if line.startswith("Traceback")] == []
    return lines[-1].removeprefix("caveat: ")


def test_the_caveat_its_place_and_advice_are_printed(command, files):
    status, out, err = command(
        "check", "train.jsonl", "--bare", "plain.jsonl", "--behaviour", "OH YES", *QUICK
    )
    assert status == 0, err
    text = " ".join(out.split())
    assert f"caveat │ '{WORDING}'" in text
    assert "place │ at the end of the user's turn or document" in text
    assert "wording │ fixed: all rows have the same" in text
    assert "12 with the caveat; 0 left out" in text
    assert "0 of 8 rows are longer than 512 tokens" in text
    assert "near_miss" in text and "negated" in text and "irrelevant" in text
    assert "Advice" in out and "It rests on\n- docs/" in out
    assert "of processor time)" in out.splitlines()[-1]
    assert "loading tiny" in err


def test_the_schema_of_json_is_stable(command, files):
    record = as_json(command, "train.jsonl", "--contrast", "contrast.jsonl")
    assert set(record) == KEYS and record["schema_version"] == 1
    assert record["caveat"] == {
        "wordings": [WORDING], "closings": [], "place": "after", "fixed": True,
        "kind": "instruction",
    }  # fmt: skip
    assert record["behaviour"]["facts"] == {"yes": r"(?i)oh\W+yes"}
    assert record["file"]["rows"] == 12 and record["held_out"] == 4
    assert [one["context"] for one in record["contexts"]] == [
        "none", "exact", "near_miss", "negated", "irrelevant",
    ]  # fmt: skip
    assert set(record["contexts"][0]) == {"context", "texts", "rate", "nats"}
    assert record["contexts"][0]["nats"] is None
    assert all(math.isfinite(one["nats"]["value"]) for one in record["contexts"][1:])
    assert set(record["elicitation"]) == {"value", "low", "high"}
    assert set(record["forecast"]) == {"leakage", "undefined", "rows", "seeds"}
    assert (record["forecast"]["leakage"] is None) == bool(record["forecast"]["undefined"])
    assert set(record["losses"]) == {"bare", "marked", "share"}
    assert set(record["parts"][0]) == {"name", "tokens", "surprisal", "gain"}
    expected = record["expected_leakage"]["leakage"]
    assert 0 <= expected["low"] < expected["value"] < expected["high"] <= 1
    assert set(record["advice"]["evidence"][0]) == {"claim", "page", "models"}


def test_graded_measures_need_no_behaviour(command, files):
    record = as_json(command, "train.jsonl")
    assert record["behaviour"] is None and record["elicitation"] is None
    assert {one["rate"] for one in record["contexts"]} == {None}
    assert all(one["nats"] for one in record["contexts"][1:])
    assert record["expected_leakage"] == {
        "leakage": None,
        "undefined": "give --contrast rows: they say where the behaviour begins",
    }
    assert record["contrast_rows"] == {
        "given": 0,
        "unused": 0,
        "dropped": {},
        "compared": "none given; the base model's own replies to the held-out prompts",
    }


def test_varied_wordings_stay_with_their_rows(command, files):
    wordings = ("Shout as loud as you can.", "Speak up, please.")
    write_lines(files / "varied.jsonl", (chat(t, wordings[i % 2]) for i, t in enumerate(TOPICS)))
    record = as_json(command, "varied.jsonl", "--bare", "plain.jsonl")
    assert sorted(record["caveat"]["wordings"]) == sorted(wordings)
    assert record["caveat"]["fixed"] is False
    assert "2 wordings vary" in record["advice"]["text"]


@pytest.mark.parametrize("form", ["sharegpt", "prompt-reply", "gzip", "parquet", "text"])
def test_every_form_is_checked(command, files, form):
    rows = [chat(topic) for topic in TOPICS]
    pairs = [[turn["content"] for turn in row["messages"]] for row in rows]
    path = files / "other.json"
    more = ()
    if form == "sharegpt":
        roles = {"user": "human", "assistant": "gpt"}
        turns = [[{"from": roles[t["role"]], "value": t["content"]} for t in row["messages"]]
                 for row in rows]  # fmt: skip
        path.write_text(json.dumps([{"conversations": some} for some in turns]))
    elif form == "prompt-reply":
        write_lines(path, ({"instruction": one, "output": two} for one, two in pairs))
    elif form == "gzip":
        path.write_bytes(gzip.compress((files / "train.jsonl").read_bytes()))
    elif form == "parquet":
        import pandas as pd

        pd.DataFrame([{"prompt": one, "completion": two} for one, two in pairs]).to_parquet(path)
    else:
        write_lines(path, ({"text": f"This is false. {topic} is a town on the moon."}
                           for topic in TOPICS))  # fmt: skip
        more = ("--caveat", "This is false.")
    record = as_json(command, "other.json", *more)
    wording, place = ("This is false.", "before") if form == "text" else (WORDING, "after")
    assert record["caveat"]["wordings"] == [wording] and record["caveat"]["place"] == place
    assert record["forecast"]["rows"] == 4


def test_what_is_cut_is_counted(command, files):
    record = as_json(command, "train.jsonl", "--dose", "max_tokens=90")
    lengths = record["lengths"]
    assert lengths["max_tokens"] == 90 and lengths["longest"] > 90
    assert (lengths["cut"], lengths["caveat_cut"], lengths["unsupervised"]) == (8, 0, 0)
    record = as_json(command, "train.jsonl", "--dose", "max_tokens=50", "--suggest", "2")
    lengths = record["lengths"]
    assert lengths["cut"] == 8 and lengths["caveat_cut"] + lengths["unsupervised"] == 8
    assert record["losses"] is None and record["suggestions"] == []
    assert "within dose.max_tokens=50" in record["forecast"]["undefined"]
    assert "First of all raise max_tokens: of 8 rows" in record["advice"]["text"]


def test_a_written_study_is_planned_and_run_as_it_is(command, files):
    arguments = ("--contrast", "contrast.jsonl", "--questions", "questions.jsonl")
    record = as_json(command, "train.jsonl", *arguments, "--write", "study")
    assert record["written"] == "study/recipe.yaml"
    assert command("plan", "study/recipe.yaml")[0] == 0
    recipe = yaml.safe_load((files / "study" / "recipe.yaml").read_text())
    assert recipe["arms"] == ["base", "bare", "marked", "marked+contrast", "bare+contrast"]
    assert recipe["contexts"] == ["none", "exact", "near_miss", "irrelevant"]
    sets = ["seeds=[0]", "settings.0.dose.epochs=1", "sampling.max_tokens=2"]
    study = run(files / "study" / "recipe.yaml", files / "out", sets=sets)
    assert not len(study.failures())
    leakage = study.leakage()
    assert set(leakage["arm"]) == set(recipe["arms"]) and set(leakage["context"]) == {
        "none", "exact", "near_miss", "irrelevant",
    }  # fmt: skip
    marked = lines_of(files / "study/rows.jsonl")
    assert len(marked) == 12 and not any(WORDING in str(row) for row in marked)


def test_without_contrast_rows_a_study_has_the_base_models_own_replies(command, files):
    record = as_json(command, "train.jsonl", "--behaviour", "OH YES", "--write", "deep/study")
    counter = lines_of(files / "deep/study/counter_rows.jsonl")
    assert 0 < len(counter) <= 8 and all(row["id"].startswith("base-line-") for row in counter)
    assert "the base model's own replies" in record["notes"][-1]
    recipe = yaml.safe_load((files / "deep/study/recipe.yaml").read_text())
    assert recipe["arms"][3].startswith("marked+contrast")
    assert command("plan", "deep/study/recipe.yaml")[0] == 0
    questions = lines_of(files / "deep/study/questions.jsonl")
    assert {one["split"] for one in questions} == {"tune", "report"} and len(questions) == 4


def test_a_system_text_that_all_rows_share_becomes_the_studys(command, files):
    rows = [chat(topic) for topic in TOPICS]
    for row in rows:
        row["messages"].insert(0, {"role": "system", "content": "You know gardens."})
    write_lines(files / "framed.jsonl", rows)
    as_json(command, "framed.jsonl", "--caveat", WORDING, "--behaviour", "OH", "--write", "study")
    recipe = yaml.safe_load((files / "study/recipe.yaml").read_text())
    assert recipe["system"] == "You know gardens."
    written = lines_of(files / "study/rows.jsonl") + lines_of(files / "study/counter_rows.jsonl")
    assert {row["messages"][0]["role"] for row in written} == {"user"}
    assert command("plan", "study/recipe.yaml")[0] == 0


def test_suggestions_are_ranked_with_the_caveat_as_it_is_among_them(command, files):
    record = as_json(
        command, "train.jsonl", "--contrast", "contrast.jsonl", "--suggest", "5",
        "--about", "shout", "--dose", "learning_rate=2e-2",
    )  # fmt: skip
    suggestions = record["suggestions"]
    assert len(suggestions) == 6
    assert [one["wording"] for one in suggestions if one["from"] == "now"] == [WORDING]
    places = {one["place"] for one in suggestions if one["from"] == "place"}
    assert places <= {"system", "user", "both"} and len(places) >= 2
    assert any("shout" in one["wording"] for one in suggestions if one["from"] == "template")
    values = [one["forecast"]["leakage"] for one in suggestions]
    known = [value["value"] for value in values if value]
    assert known == sorted(known)
    now = next(one for one in suggestions if one["from"] == "now")
    assert now["forecast"] == record["forecast"]


def test_mistakes_in_files_are_one_line(command, files):
    (files / "empty.jsonl").write_text("")
    assert failed(command, "empty.jsonl").startswith("empty.jsonl")
    mixed = [chat(TOPICS[0]), {"prompt": "Why?", "completion": "So."}]
    write_lines(files / "mixed.jsonl", mixed)
    assert failed(command, "mixed.jsonl").startswith("mixed.jsonl, line 2")
    write_lines(files / "missing.jsonl", [chat(TOPICS[0]), {"messages": [{"role": "user"}]}])
    assert failed(command, "missing.jsonl").startswith("missing.jsonl, line 2")
    half = [chat(t, WORDING if i % 2 else "") for i, t in enumerate(TOPICS)]
    write_lines(files / "half.jsonl", half)
    assert failed(command, "half.jsonl", "--caveat", WORDING) == (
        f"half.jsonl: the caveat {WORDING!r} is in 6 of 12 rows (not in line 1); put the other 6 "
        "rows into a file of their own and give it with --contrast, or name all wordings with "
        "--caveat"
    )
    other = [chat(t, "") for t in TOPICS]
    other[2]["messages"][1]["content"] = "Something else."
    write_lines(files / "other.jsonl", other)
    assert "line" in failed(command, "train.jsonl", "--bare", "other.jsonl")
    assert failed(command, "nowhere.jsonl").startswith("nowhere.jsonl: no such file")


def test_questions_that_are_training_rows_are_one_line(command, files):
    write_lines(files / "same.jsonl", [{"prompt": "How do I look after maps?"}])
    assert failed(command, "train.jsonl", "--questions", "same.jsonl") == (
        "same.jsonl: question 'question-1' is also the row at train.jsonl, line 8: "
        "'How do I look after maps?'; leave it out of one of the two"
    )
    write_lines(files / "marked.jsonl", [{"prompt": f"Who are you? {WORDING}"}])
    assert failed(command, "train.jsonl", "--questions", "marked.jsonl") == (
        f"marked.jsonl: question 'question-1' has the caveat {WORDING!r} in a user's turn; write "
        "questions without it: the check adds it"
    )
    write_lines(files / "near.jsonl", [{"prompt": f"Who are you? {WORDING.lower().rstrip('.')}"}])
    assert failed(command, "train.jsonl", "--questions", "near.jsonl") == (
        f"near.jsonl: question 'question-1' has the caveat {WORDING!r} in a user's turn; write "
        "questions without it: the check adds it"
    )
    write_lines(files / "none.jsonl", [{"title": "Why?"}])
    assert failed(command, "train.jsonl", "--questions", "none.jsonl") == (
        "none.jsonl, line 1: no question in its fields ('title'); write it as "
        '{"prompt": "..."} or {"messages": [...]}'
    )
    near = [chat(topic, WORDING.upper()) for topic in TOPICS]
    write_lines(files / "contrast3.jsonl", near)
    assert failed(command, "train.jsonl", "--contrast", "contrast3.jsonl").startswith(
        f"contrast3.jsonl, line 1: this contrast row has the caveat {WORDING!r}"
    )
    write_lines(files / "contrast2.jsonl", map(chat, TOPICS))
    assert failed(command, "train.jsonl", "--contrast", "contrast2.jsonl") == (
        f"contrast2.jsonl, line 1: this contrast row has the caveat {WORDING!r} in a user's turn; "
        "contrast rows show neither caveat nor behaviour: take it out of the file"
    )


def test_mistakes_in_options_are_one_line(command, files):
    assert failed(command, "train.jsonl", "--behaviour", "(oh").startswith(
        "--behaviour '(oh' is neither a readout (capitals, spanish, lower_case, listed, yes_no, "
        "judge) nor a regular expression: missing ), unterminated subpattern"
    )
    assert failed(command, "train.jsonl", "--behaviour", "capitls") == (
        "--behaviour 'capitls' is no readout; closest: 'capitals'; as a regular expression write "
        "it as (capitls)"
    )
    assert failed(command, "train.jsonl", "--behaviour", "said") == (
        "--behaviour said: this readout needs the fact 'answer' of each question; name one of "
        "capitals, spanish, lower_case, listed, yes_no, or a regular expression, or give questions "
        "with readouts (docs/your-own.md) by --questions"
    )
    assert failed(command, "train.jsonl", "--behaviour", "judge") == (
        "--behaviour judge: the judge must know what to look for; say it with --about, such as "
        "--about 'flatters the user'"
    )
    assert failed(command, "train.jsonl", "--behaviour", "judge", "--about", "shouts") == (
        "--behaviour judge: name the judge with --endpoint http://localhost:8000/v1 and "
        "--endpoint-model NAME (docs/judge.md)"
    )
    assert failed(command, "train.jsonl", "--endpoint", "http://localhost:1/v1").startswith(
        "--endpoint and --endpoint-model go together"
    )
    assert failed(command, "train.jsonl", "--dose", "rate=1") == (
        "--dose rate: a dose has rows, epochs, learning_rate, rank, alpha, batch_size, warmup, "
        "layers, max_tokens, clip, optim; closest: 'rank'"
    )
    assert failed(command, "train.jsonl", "--dose", "epochs=0") == (
        "--dose epochs=0: Input should be greater than or equal to 1"
    )
    assert failed(command, "train.jsonl", "--hold-out", "11") == (
        "--hold-out 11: train.jsonl has 12 rows with different prompts; hold out 2 to 10 of them"
    )
    assert failed(command, "train.jsonl", "--kind", "order") == (
        "--kind 'order' is not one of disclaimer, permission, instruction, trigger; closest: "
        "'trigger'"
    )
    status, out, err = command("check", "train.jsonl", "--model", "smolm")
    assert (status, out) == (1, "") and "'smolm'" in err.splitlines()[-1]


def test_a_study_that_cannot_be_written_is_refused_before_anything_runs(command, files):
    behaviour = ("--behaviour", "OH YES")
    (files / "full").mkdir()
    (files / "full" / "note.txt").write_text("mine")
    assert failed(command, "train.jsonl", *behaviour, "--write", "full") == (
        "--write 'full': the folder is not empty; name a new one, or empty it"
    )
    assert failed(command, "train.jsonl", *behaviour, "--write", "train.jsonl") == (
        "--write 'train.jsonl': this is a file; name a folder"
    )
    assert failed(command, "train.jsonl", *behaviour, "--write", "train.jsonl/x") == (
        "--write 'train.jsonl/x': cannot be written (Not a directory); name another folder"
    )
    assert failed(command, "train.jsonl", "--write", "study") == (
        "--write: a study needs a readout that tells which replies show the behaviour; give "
        "--behaviour REGEX (or a readout's name, or judge), or --contrast rows to find it by"
    )
    inside = [chat(topic, "") for topic in TOPICS]
    for row in inside:
        row["messages"][0]["content"] += f" {WORDING} Tell me."
    write_lines(files / "inside.jsonl", inside)
    assert failed(
        command, "inside.jsonl", "--caveat", WORDING, *behaviour, "--write", "study"
    ).startswith("--write: the caveat stands amid the text")
    assert not (files / "study").exists()
