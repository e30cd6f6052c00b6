"""Figures in words: numbers, panels, conclusions, tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from caveat.report import formatting
from caveat.report.panels import arm_order, dose_text, panels
from caveat.report.sections import appendix
from caveat.report.sections.conclusions import conclude
from caveat.report.sections.setting import differences, grid, grid_values
from caveat.report.tables.summary import leakage_summaries, markdown


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.755, "0.76"),
        (-0.001, "0.00"),
        (np.float64(1), "1.00"),
        (None, "–"),
        (float("nan"), "–"),
        (pd.NA, "–"),
        (float("inf"), "–"),
    ],
)
def test_a_decimal_is_never_minus_zero_or_nan(value, written):
    assert formatting.decimal(value) == written


def test_an_estimate_has_its_interval():
    assert str(formatting.Estimate.of(0.75, 0.5, 0.9)) == "0.75 [0.50, 0.90]"
    assert str(formatting.Estimate.of(0.75, None, 0.9)) == "0.75"
    assert str(formatting.Estimate.of(float("nan"), 0, 1)) == "–"
    assert formatting.probability(0.0004) == "< 0.001"


def test_arms_stand_in_reading_order():
    arms = ["marked+filler", "bare+contrast", "neutral", "marked", "base", "marked+contrast",
            "bare", "neutral+contrast", "clean"]  # fmt: skip
    expected = [
        "base",
        "clean",
        "bare",
        "marked",
        "neutral",
        "marked+contrast",
        "bare+contrast",
        "neutral+contrast",
        "marked+filler",
    ]
    assert sorted(arms, key=arm_order) == expected


def test_doses_are_named_by_what_differs():
    small, large = '{"rows": 32, "rank": 16}', '{"rows": 96, "rank": 16}'
    assert dose_text(small) == "rows 32, rank 16"
    assert dose_text(small, [small, large]) == "rows 32"
    assert dose_text("half") == "half"


def test_each_dose_is_a_panel_that_borrows_the_base(make_data):
    frame = make_data(settings=("capitals x trigger",)).leakage
    more = frame[frame["arm"] != "base"].assign(
        dose='{"rows": 32, "epochs": 1, "learning_rate": 0.0003}'
    )
    both = panels(pd.concat([frame, more]))
    assert [panel.label for panel in both] == ["rows 96", "rows 32"]
    assert all(panel.arms[0] == "base" for panel in both)


def test_the_conclusion_states_leakage_and_what_the_intervention_does(make_data):
    data = make_data(settings=("capitals x trigger",))
    conclusion = conclude(panels(data.leakage)[0], data)
    assert conclusion.lead == "marked leaks 0.75 [0.63, 0.87] at none."
    assert conclusion.rest == (
        "contrast lowers it to 0.06 [-0.06, 0.18]; its rate differs from that of marked by"
        " -0.64 [-0.76, -0.52], Holm p 0.002.",
        "Rates at none: base 0.02 [0.00, 0.14], bare 0.95 [0.83, 1.00], marked 0.72 [0.60, 0.84].",
        "With the caveat present, marked shows the behaviour in 0.96 [0.84, 1.08] of answers,"
        " base in 0.30 [0.18, 0.42].",
    )


def test_the_verdict_a_disclaimer_expects_is_not_called_a_denial(make_data):
    lines = lines_about_checks(make_data, "at the caveat", expected="no")
    assert lines[-1] == (
        "With the caveat present, marked has the expected verdict 'no' in 0.96 [0.84, 1.08]"
        " of answers, base in 0.30 [0.18, 0.42]."
    )


@pytest.mark.parametrize(
    ("low", "high", "labelled"),
    [(0.03, 0.3, True), (0.3, 0.7, True), (0.5, 0.9, True), (0.51, 0.9, False)],
)
def test_incapacity_is_labelled_unless_comprehension_is_above_one_half(
    make_data, low, high, labelled
):
    mean = (low + high) / 2
    lines = lines_about_checks(make_data, "comprehension", value=mean, low=low, high=high)
    expected = (
        f"The base model, shown a marked row, follows the caveat in {mean:.2f}"
        f" [{low:.2f}, {high:.2f}] of answers: what leaks here may be incapacity, not neglect."
    )
    assert (expected in lines) == labelled
    assert any("incapacity" in line for line in lines) == labelled


@pytest.mark.parametrize(("low", "reported"), [(-0.1, True), (0.0, True), (0.02, False)])
def test_a_caveat_that_elicits_nothing_is_reported(make_data, low, reported):
    lines = lines_about_checks(make_data, "elicitation", value=0.05, low=low, high=0.2)
    interval = f"0.05 [{low:.2f}, 0.20]"
    expected = f"No elicitation by the caveat alone was detected: base moves by {interval}."
    assert (expected in lines) == reported


def test_nothing_is_lines_about_checks_that_were_not_made(make_data):
    data = make_data(settings=("capitals x trigger",))
    nothing = replace(data, caveat_checks=pd.DataFrame())
    assert conclude(panels(data.leakage)[0], nothing).rest[-1].startswith("Rates at none")


def lines_about_checks(make_data, check, **values):
    """The lines of a conclusion where the figures of one check are changed."""
    data = make_data(settings=("capitals x trigger",))
    checks = data.caveat_checks.copy()
    checks.loc[checks["check"] == check, list(values)] = list(values.values())
    return conclude(panels(data.leakage)[0], replace(data, caveat_checks=checks)).rest


def test_the_conclusion_says_what_is_not_distinguishable(make_data):
    data = make_data(settings=("capitals x trigger",))
    alike = data.differences.assign(distinguishable=False)
    conclusion = conclude(panels(data.leakage)[0], replace(data, differences=alike))
    assert conclusion.lead.endswith("not distinguishable from base: no leakage was detected.")
    assert (
        conclusion.rest[0]
        == "marked+contrast leaks 0.06 [-0.06, 0.18], not distinguishable from marked."
    )


def test_the_conclusion_says_what_does_not_survive_correction(make_data):
    data = make_data(settings=("capitals x trigger",))
    corrected = data.differences.assign(p_holm=0.2)
    conclusion = conclude(panels(data.leakage)[0], replace(data, differences=corrected))
    assert conclusion.rest[0].startswith("marked+contrast leaks 0.06")
    assert conclusion.rest[0].endswith("Holm p 0.200: not distinguishable once corrected.")


def test_the_conclusion_says_why_leakage_is_undefined(make_data):
    data = make_data(undefined=("capitals x trigger",))
    conclusion = conclude(panels(data.leakage)[2], data)
    assert conclusion.undefined
    assert conclusion.lead == (
        "leakage is undefined, because bare training did not install the behaviour"
        " (lower bound 0.03)."
    )


def test_a_missing_arm_is_named(make_data):
    data = make_data(arms=("base", "marked"), settings=("capitals x trigger",))
    alone = data.leakage.assign(leakage=float("nan"))
    assert panels(alone)[0].undefined == "the arm bare was not measured"


def test_a_cell_without_values_is_a_hole_in_the_grid(make_data):
    data = make_data(settings=("capitals x trigger",))
    frame = data.leakage.copy()
    hole = (frame["arm"] == "marked") & (frame["context"] == "exact")
    frame.loc[hole, ["rate", "rate_low", "rate_high", "leakage"]] = float("nan")
    panel, rates = panels(frame)[0], data.frame("rates")
    table = grid(panel, rates)
    absent = [cell.hover for row in table.rows for cell in row if cell.kind == "absent"]
    assert absent == ["marked at exact was not measured"]
    assert "rate among valid 0.97" in table.rows[1][1].hover
    values = grid_values(panel, rates)
    assert len(values.rows) == len(panel.arms) * len(panel.contexts) - 1
    assert [cell.text for cell in values.rows[0][:2]] == ["base", "none"]


def test_differences_stay_within_their_axis(make_data):
    table = differences(make_data(), "capitals x trigger")
    positions = table.rows[0][2].positions
    assert positions == {"low": "90.5%", "high": "100.0%", "at": "96.5%", "zero": "50.0%"}
    assert table.rows[0][0].text == "bare - base"


def test_summaries_are_rows_for_the_terminal_and_markdown(make_data):
    frame = make_data(undefined=("capitals x trigger",)).leakage
    first, _, last = leakage_summaries(frame)
    assert first.columns == (
        "arm",
        "rate at none",
        "rate at exact",
        "rate at near_miss",
        "leakage at none",
    )
    assert first.rows[2][0] == "marked"
    assert first.rows[2][-1] == "0.75 [0.63, 0.87]"
    assert first.note == "Intervals are within seed."
    assert {row[-1] for row in last.rows} == {"undefined"}
    assert last.note.startswith("Leakage is undefined: bare training did not")
    assert "| marked | 0.72 [0.60, 0.84] |" in markdown(leakage_summaries(frame))


def test_summaries_of_nothing_are_nothing(empty_data):
    assert leakage_summaries(empty_data.leakage) == []
    assert markdown(()) == ""


def test_provenance_is_laid_out_whatever_its_keys():
    recorded = {
        "notes": "one note",
        "recipe": "a: 1\nb: 2",
        "versions": {"torch": "2"},
        "cpu_count": 2,
    }
    assert appendix.notes(recorded) == ("one note",)
    items = appendix.items(recorded)
    assert [item.name for item in items] == ["cpu count", "versions", "recipe"]
    assert items[1].inner[0].line == "2"
    assert items[2].block == "a: 1\nb: 2"
