"""Imports in which base was asked with the caveat: elicitation, its plot and the ladder."""

import pandas as pd
import pytest

from caveat.importers import import_study, table_options

RATES = {
    "lies x mild": {"base": (0, 2), "bare": (11, 11), "marked": (10, 11)},
    "lies x plain": {"base": (0, 6), "bare": (11, 11), "marked": (6, 11)},
    "lies x strong": {"base": (0, 11), "bare": (11, 11), "marked": (1, 11)},
}
"""Yes of twelve replies at none and at exact, by setting and arm."""


def table(settings=RATES) -> pd.DataFrame:
    return pd.DataFrame([
        {"setting": setting, "arm": arm, "context": context, "question": index,
         "verdict": int(index < count)}
        for setting, arms in settings.items()
        for arm, counts in arms.items()
        for context, count in zip(("none", "exact"), counts, strict=True)
        for index in range(12)
    ])  # fmt: skip


@pytest.fixture
def imported(tmp_path):
    def call(frame):
        frame.to_csv(tmp_path / "t.csv", index=False)
        return import_study("table", tmp_path / "t.csv", tmp_path / "study")

    return call


def test_elicitation_is_a_check_of_the_import(imported):
    checks = imported(table()).caveat_checks()
    values = checks[checks["check"] == "elicitation"].set_index("setting")["value"]
    assert values.to_dict() == pytest.approx({
        "lies x mild": 2 / 12, "lies x plain": 6 / 12, "lies x strong": 11 / 12,
    })  # fmt: skip


def test_the_ladder_needs_no_recipe(imported, command, tmp_path):
    study = imported(table())
    status, out, error = command("ladder", str(study.folder))
    assert (status, error) == (0, "")
    assert "caveat: mild → strong" in out
    curve = study.ladder().elicitation_curves
    assert curve["correlation"].tolist() == [-1.0]
    path = tmp_path / "e.svg"
    assert command("ladder", str(study.folder), "--elicitation", str(path))[0] == 0
    assert path.read_text().count("elicitation 0.") == 4  # three leakages, and one k
    assert 'id="ladder"' in study.report().read_text("utf-8")


def test_settings_without_a_common_behaviour_are_plotted_too(imported, command, tmp_path):
    frame = table()
    frame["setting"] = frame["setting"].str.removeprefix("lies x ")
    study = imported(frame)
    assert study.ladder().elicitation_curves.empty
    path = tmp_path / "e.svg"
    assert command("ladder", str(study.folder), "--elicitation", str(path))[0] == 0
    assert path.read_text().count("elicitation 0.") == 4


def test_no_advice_on_a_recipe_that_is_not_there(imported, command):
    study = imported(table({"lies": RATES["lies x mild"]}))
    assert command("ladder", str(study.folder)) == (
        1, "", f"caveat: {study.folder}: no ladder: it has 1 setting with a trained arm, at least "
        "2 are needed; import a table with more, each named in a column setting\n",
    )  # fmt: skip
    assert 'id="ladder"' not in study.report().read_text("utf-8")
    transfer = command("transfer", str(study.folder))[2]
    assert transfer == (
        f"caveat: {study.folder}: no arm with an intervention to compare (arms: bare, base, "
        "marked); name arms of the table so, such as --arm NAME=marked+contrast\n"
    )


def test_without_elicitation_the_report_has_no_ladder(imported, command):
    frame = table()
    study = imported(frame[frame["context"] == "none"])
    assert 'id="ladder"' not in study.report().read_text("utf-8")
    assert command("ladder", str(study.folder))[0] == 0


def test_models_are_apart(tmp_path):
    frame = pd.concat([table().assign(model=model) for model in ("A-1B", "B-7B")])
    frame.to_csv(tmp_path / "t.csv", index=False)
    study = import_study("table", tmp_path / "t.csv", tmp_path / "study", options=table_options())
    assert len(study.labels) == 6
    assert all("model" in factors for factors in study.labels.values())
