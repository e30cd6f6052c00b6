"""What is said of a setting is what the other tables say of its setting."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from caveat.analysis import caveat_checks, ladder_records, leakage
from caveat.analysis.ladder import Ladder, factorial_grids, ladder
from caveat.analysis.ladder.changes import METRICS as CHANGES
from caveat.analysis.ladder.elicitation import METRICS as RELATIONS
from caveat.analysis.ladder.ladder import METRICS
from constructed import DOSE, row
from laddered import Made, labels_of, ladder_of, replies_of
from paths import DOCS

ONE = Made("people x disclaimer", {"caveat": "disclaimer"}, marked=0.75, told=0.25)
TWO = Made("people x instruction", {"caveat": "instruction"}, marked=0.5)


@pytest.fixture(scope="module")
def made():
    return ladder_of([ONE, TWO])


def test_figures_are_those_of_the_other_tables(made):
    frame = ONE.replies()
    setting = row(made.settings, number=1)
    marked = row(leakage(frame), arm="marked", context="none")
    checks = caveat_checks(frame, {ONE.setting: "yes"})
    for name, table in (("leakage", marked), ("k", row(checks, check="k")),
                        ("elicitation", row(checks, check="elicitation"))):  # fmt: skip
        value = name if name == "leakage" else "value"
        ends = ("leakage_low", "leakage_high") if name == "leakage" else ("low", "high")
        assert [setting[f"{name}{end}"] for end in ("", "_low", "_high")] == [
            table[value], *(table[end] for end in ends)
        ]  # fmt: skip
    assert (setting["base"], setting["installed"], setting["leaks"]) == (0.0, 1.0, 0.75)
    assert (setting["elicitation"], setting["at_caveat"], setting["leakage"]) == (0.25, 0.75, 0.75)
    assert setting["k"] == pytest.approx(0.75 / 0.75)
    assert (setting["undefined"], setting["interval"], setting["readout"]) == (
        None,
        "seeds",
        "said",
    )
    assert json.loads(setting["factors"]) == {"caveat": "disclaimer"}


def test_notes_say_why_there_is_no_k_and_no_comprehension(made):
    setting = row(made.settings, number=2)
    assert np.isnan(setting["k"]) and np.isnan(setting["comprehension"])
    assert setting["k_note"] == "undefined: elicitation is 0.00, not above 0"
    assert np.isnan(setting["shown_bare"])


def test_comprehension_counts_the_expected_verdict():
    shown = ONE.replies()
    shown = shown[(shown["arm"] == "base") & (shown["context"] == "exact")]
    shown = shown.assign(purpose="comprehension", context="marked_shown")
    without = shown.assign(context="bare_shown")
    frame = pd.concat([replies_of([ONE, TWO]), shown, without], ignore_index=True)
    expected = {ONE.setting: "no", TWO.setting: "yes"}
    setting = row(ladder(frame, labels_of([ONE, TWO]), expected, 100).settings, number=1)
    assert (setting["comprehension"], setting["expected"], setting["shown_bare"]) == (
        0.75,
        "no",
        0.25,
    )


def test_settings_without_factors_and_those_not_run_are_left_out():
    frame = replies_of([ONE, Made("people x trigger", {}, marked=0.5)])
    found = ladder(frame, labels_of([TWO, ONE]), {ONE.setting: "yes"}, 100)
    assert list(found.settings["setting"]) == [ONE.setting] and list(found.settings["number"]) == [
        2
    ]
    assert found.steps.empty and found.effects.empty and found.interactions.empty
    assert found.elicitation_curves.empty


def test_a_study_without_a_reply_has_an_empty_ladder():
    frame = replies_of([ONE]).iloc[:0]
    found = ladder(frame, labels_of([ONE, TWO]), {}, 100)
    assert all(part == [] for part in ladder_records(found).values())


def test_an_arm_that_has_no_answers_yet_is_the_reason():
    frame = replies_of([ONE, TWO])
    unfinished = frame[(frame["arm"] != "marked") | (frame["setting"] != ONE.setting)]
    expected = {ONE.setting: "yes", TWO.setting: "yes"}
    found = ladder(unfinished, labels_of([ONE, TWO]), expected, 100)
    setting = row(found.settings, number=1)
    assert setting["undefined"] == "marked was not tested in the context 'none'"
    assert (setting["installed"], setting["interval"]) == (1.0, "") and np.isnan(setting["leaks"])
    (step,) = found.steps.to_dict("records")
    assert step["undefined"] == f"{ONE.setting}: marked was not tested in the context 'none'"
    assert np.isnan(step["rate_change"]) and step["interval"] == ""


def test_doses_and_models_of_a_setting_have_rows_of_their_own():
    other = '{"epochs": 2}'
    twice = TWO.replies().assign(setting=ONE.setting, caveat="disclaimer")
    twice = twice[twice["arm"] != "base"].assign(dose=other)
    warmed = ONE.replies().assign(model="tiny + disclaimer 0.5")
    frame = pd.concat([ONE.replies(), twice, warmed], ignore_index=True)
    labels = {
        (ONE.setting, "tiny", DOSE): {"epochs": "1", "taught": "nothing"},
        (ONE.setting, "tiny", other): {"epochs": "2", "taught": "nothing"},
        (ONE.setting, "tiny + disclaimer 0.5", DOSE): {"epochs": "1", "taught": "0.5"},
    }
    found = ladder(frame, labels, {ONE.setting: "yes"}, 100)
    assert list(found.settings["leakage"]) == [0.75, 0.5, 0.75]
    assert list(found.settings["elicitation"]) == [0.25, 0.25, 0.25]
    assert [(step["factor"], step["first"], step["second"])
            for step in found.steps.to_dict("records")] == [
        ("epochs", 1, 2), ("taught", 1, 3),
    ]  # fmt: skip


def in_grid(behaviour: str, caveat: str, marked: float = 0.5, **others: str) -> Made:
    name = f"{behaviour} x {caveat}"
    return Made(name, {"behaviour": behaviour, "caveat": caveat, **others}, marked)


def test_a_grid_needs_two_behaviours_and_two_caveats():
    cells = [in_grid("people", "disclaimer", 0.25), in_grid("people", "trigger"),
               in_grid("capitals", "trigger")]  # fmt: skip
    (grid,) = factorial_grids(ladder_of(cells, 100).settings)
    assert (grid.behaviours, grid.caveats) == (
        ("people", "capitals"), ("disclaimer", "trigger"),
    )  # fmt: skip
    (setting,) = grid.settings["people", "disclaimer"]
    assert setting["leakage"] == 0.25 and grid.others == {}
    assert grid.missing == [("capitals", "disclaimer")]
    assert factorial_grids(ladder_of(cells[:2], 100).settings) == []


def test_the_page_on_the_ladder_names_every_metric():
    page = (DOCS / "ladder.md").read_text("utf-8")
    named = (*METRICS, *CHANGES, *RELATIONS, *(field.name for field in fields(Ladder)))
    assert [name for name in named if f"`{name}`" not in page] == []


def test_records_are_plain_and_hold_no_nan(made):
    printed = json.loads(json.dumps(ladder_records(made), allow_nan=False))
    assert set(printed) == {"settings", "steps", "effects", "interactions", "elicitation_curves"}
    setting = printed["settings"][0]
    assert setting["leakage"]["value"] == 0.75 and set(setting["leakage"]) == {
        "value",
        "low",
        "high",
    }
    assert setting["comprehension"] is None and setting["dose"] == {"epochs": 1}
    assert setting["factors"] == {"caveat": "disclaimer"} and setting["undefined"] is None
    (step,) = printed["steps"]
    assert (step["factor"], step["start"], step["end"]) == ("caveat", "disclaimer", "instruction")
    assert step["first"] == {"number": 1, "setting": ONE.setting} and step["others"] == {}
    assert step["leakage_change"]["value"] == -0.25 and step["paired"] is True
    assert 0 <= step["leakage_change_p"] <= step["leakage_change_p_holm"] <= 1
    (effect,) = printed["effects"]
    assert effect["pairs"] == effect["rate_pairs"] == 1
    assert printed["interactions"] == []
    (curve,) = printed["elicitation_curves"]
    assert (curve["family"], curve["name"], curve["settings"]) == ("behaviour", "people", 2)
    assert curve["correlation"] is None and curve["slope_over_settings"] is None
    assert curve["k"] == {
        "settings": 1,
        "mean": 1.0,
        "least": 1.0,
        "most": 1.0,
        "q": None,
        "p": None,
    }
    assert curve["undefined"] == ("2 of its settings have elicitation and leakage, 3 are needed")
