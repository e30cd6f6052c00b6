"""`caveat ladder` on a study of the tiny model, in its folder and as one file."""

from __future__ import annotations

import json
from shutil import copytree

import pandas as pd
import pytest

from caveat.errors import CaveatError
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.export import Exported, export
from caveat.study.study import Study
from paths import DOCS
from quick_run import run
from toy_study import DOSE, TOY, marks, recipe, small

PASSWORD, NOTICE = "toy x password", "toy x notice"


def setting(caveat: str, **fields):
    return {"behaviour": str(TOY), "caveat": caveat, "dose": DOSE, **fields}


def ladder_recipe(first: str = "string", **changes):
    settings = [
        setting("password", factors={"caveat": first, "form": "chat"}),
        setting("notice", factors={"caveat": "instruction", "form": "chat"}),
        setting("notice", raw_text=True, factors={"caveat": "instruction", "form": "document"}),
    ]
    fields = {"arms": ["base", "bare", "marked"], "contexts": ["none", "exact"]}
    return recipe(**{**fields, "settings": settings, **changes})


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return run(ladder_recipe(), tmp_path_factory.mktemp("ladder"), report=True)


@pytest.fixture(scope="module")
def file(study, tmp_path_factory):
    return export(study, tmp_path_factory.mktemp("file") / "ladder.parquet")


@pytest.fixture(scope="module")
def ladder(study):
    return study.ladder()


def test_rungs_are_labelled_in_the_order_of_the_recipe(study, ladder):
    made = ladder
    assert list(made.settings["setting"]) == [PASSWORD, NOTICE, NOTICE]
    assert [json.loads(factors) for factors in made.settings["factors"]] == [
        {"caveat": "string", "form": "chat"}, {"caveat": "instruction", "form": "chat"},
        {"caveat": "instruction", "form": "document"},
    ]  # fmt: skip
    assert [(step["factor"], step["start"], step["end"], step["first"], step["second"])
            for step in made.steps.to_dict("records")] == [
        ("caveat", "string", "instruction", 1, 2), ("form", "chat", "document", 2, 3),
    ]  # fmt: skip
    leakage = study.leakage()
    marked = leakage[(leakage["arm"] == "marked") & (leakage["context"] == "none")]
    names = ["setting", "dose", "leakage", "leakage_low", "leakage_high", "undefined"]
    ours, theirs = (frame[names].sort_values(names[:2]) for frame in (made.settings, marked))
    pd.testing.assert_frame_equal(*(each.reset_index(drop=True) for each in (ours, theirs)))


def test_the_command_prints_tables(study, command):
    status, out, err = command("ladder", str(study.folder))
    assert status == 0 and err == ""
    for words in ("Settings", "Mean effect of each factor", "Changes of one factor, pair by pair",
                  "caveat: string →", "form: chat →"):  # fmt: skip
        assert words in out
    status, out, _ = command("ladder", str(study.folder), "--markdown")
    assert status == 0 and "| caveat: string → instruction | 1 → 2 | " in out
    assert "| 3 | form document | toy x notice | " in out


def test_the_command_prints_records_of_a_folder_and_of_a_file_alike(study, ladder, file, command):
    status, out, _ = command("ladder", str(study.folder), "--json")
    assert status == 0
    assert command("ladder", str(file), "--json") == (0, out, "")
    told = json.loads(out)
    assert [len(told[name]) for name in ("settings", "steps", "effects", "interactions")] == [
        3, 2, 2, 0,
    ]  # fmt: skip
    assert told["settings"][0]["model"] == "tiny"
    theirs = Exported(file).ladder()
    for name in ("settings", "steps", "effects", "elicitation_curves"):
        pd.testing.assert_frame_equal(getattr(theirs, name), getattr(ladder, name))


def test_figures_are_saved_where_there_is_something_to_plot(study, command, tmp_path):
    path = tmp_path / "settings.svg"
    status, out, _ = command("ladder", str(study.folder), "--figure", str(path))
    assert (status, out) == (0, f"figure: {path}\n") and "<svg" in path.read_text()
    dial = tmp_path / "dial.png"
    # A stored study: whether a random model's settings differ in elicitation is left to chance.
    stored = str(DOCS / "data" / "crossing.parquet")
    assert command("ladder", stored, "--elicitation", str(dial))[0] == 0
    assert dial.read_bytes().startswith(b"\x89PNG")
    assert command("ladder", stored, "--elicitation", "dial.txt") == (
        1, "", "caveat: --elicitation 'dial.txt': its name must end in .svg or .png\n",
    )  # fmt: skip
    plain = small()["settings"][0]
    doses = [
        {**plain, "dose": {**plain["dose"], "rows": rows}, "factors": {"rows": str(rows)}}
        for rows in (4, 8)
    ]
    alike = run(small(settings=doses), tmp_path / "doses").folder
    assert command("ladder", str(alike), "--elicitation", str(dial)) == (
        1,
        "",
        f"caveat: --elicitation '{dial}': nothing to plot: no behaviour of {alike} has settings "
        "that differ in elicitation\n",
    )


def test_the_report_has_the_ladder(study):
    html = (study.folder / "report.html").read_text("utf-8")
    assert '<section id="ladder">' in html and '<a href="#ladder">Ladder</a>' in html


def test_other_labels_are_taken_over_and_train_nothing(study, tmp_path):
    folder = copytree(study.folder, tmp_path / "again")
    before = marks(folder)
    run(ladder_recipe("trigger"), folder)
    assert marks(folder) == before
    again = Study(folder)
    assert (again.version, list(again.versions)) == (study.version, [study.version])
    assert next(iter(again.labels.values())) == {"caveat": "trigger", "form": "chat"}
    assert next(iter(study.labels.values())) == {"caveat": "string", "form": "chat"}


def test_labels_are_no_part_of_what_a_recipe_makes():
    plain = small()
    labelled = small(settings=[{**plain["settings"][0], "factors": {"form": "chat"}}])
    assert read(plain).identity() == read(labelled).identity()


def test_a_crossing_without_rows_for_a_behaviour_is_told_before_anything_runs(tmp_path):
    other = copytree(TOY, tmp_path / "other")
    (other / "rows.jsonl").write_text("")
    crossed = [
        {"behaviour": str(place), "caveat": caveat, "dose": DOSE,
         "factors": {"behaviour": place.name, "caveat": caveat}}
        for place in (TOY, other) for caveat in ("password", "notice")
    ]  # fmt: skip
    with pytest.raises(CaveatError) as error:
        resolve(read(small(settings=crossed)))
    assert str(error.value) == f"{other / 'rows.jsonl'} is empty; give it at least one line"


def test_a_study_without_factors_says_what_to_add(tmp_path, command):
    made = run(small(), tmp_path / "study", report=True)
    assert command("ladder", str(made.folder)) == (
        1,
        "",
        f"caveat: {made.folder}: no ladder: settings with factors: 0, at least 2 are needed; add "
        "factors to settings of the recipe, such as factors: {form: chat, caveat: instruction}, "
        "and run it again: nothing is trained anew\n",
    )
    assert 'id="ladder"' not in (made.folder / "report.html").read_text("utf-8")
