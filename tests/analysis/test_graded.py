"""Graded leakage of constructed log-probabilities."""

import numpy as np
import pandas as pd
import pytest

from caveat.analysis.graded import (
    GRADED_METRIC,
    KEY,
    graded_elicitation,
    graded_leakage,
    with_graded,
)
from caveat.report.tables.summary import leakage_summaries

NAMES = {"setting": "s", "phenomenon": "p", "behaviour": "b", "caveat": "c", "model": "m"}
LEVELS = {
    ("base", "none"): -10.0, ("base", "exact"): -8.0, ("bare", "none"): -2.0,
    ("bare", "exact"): -2.0, ("marked", "none"): -8.0, ("marked", "exact"): -2.0,
}  # fmt: skip
"""Log-probability of a decision token by arm and context."""


def scores(levels=LEVELS, rows=range(6), seeds=(0, 1, 2), dose="{}", noise=0.3, **changes):
    """One score a row and seed; rows differ, in all arms alike."""
    return pd.DataFrame(
        {
            **NAMES,
            "arm": arm,
            "seed": None if arm == "base" else seed,
            "dose": dose,
            "context": context,
            "row": f"r{row}",
            "tokens": 1,
            "value": value + noise * (row - 2.5),
            **changes,
        }
        for (arm, context), value in levels.items()
        for seed in ((0,) if arm == "base" else seeds)
        for row in rows
    ).astype({"seed": "Int64"})


def value(table, arm, context, column="graded_leakage"):
    return table[(table["arm"] == arm) & (table["context"] == context)][column].item()


def test_it_is_the_ratio_of_log_probabilities_above_base():
    table = graded_leakage(scores())
    assert list(table.columns) == [*KEY, *GRADED_METRIC]
    assert value(table, "marked", "none", "nats") == pytest.approx(-8)
    assert value(table, "marked", "none") == pytest.approx((-8 + 10) / (-2 + 10))
    assert value(table, "marked", "exact") == pytest.approx((-2 + 8) / 8)
    assert (value(table, "base", "exact"), value(table, "bare", "none")) == (0, 1)
    assert table["graded_undefined"].isna().all()


def test_it_is_undefined_where_bare_training_did_nothing():
    table = graded_leakage(scores({**LEVELS, ("bare", "none"): -10.0}))
    assert table["graded_leakage"].isna().all()
    assert set(table["graded_undefined"]) == {
        "bare training did not make the decision tokens likelier: the lower bound of "
        "L(bare, none) - L(base, none) is 0.00 nats, below 0.1"
    }
    assert value(table, "marked", "none", "nats") == pytest.approx(-8)


def test_rows_that_disagree_about_the_denominator_leave_it_undefined():
    frame = scores(noise=0)
    unsteady = (frame["arm"] == "bare") & (frame["context"] == "none")
    frame.loc[unsteady, "value"] = np.where(frame.loc[unsteady, "row"] == "r0", 30.0, -10.0)
    assert graded_leakage(frame)["graded_leakage"].isna().all()


def test_elicitation_is_what_the_caveat_adds_in_base():
    (row,) = graded_elicitation(scores()).to_dict("records")
    assert (row["check"], row["arm"], row["note"]) == ("graded elicitation", "base", "nats a token")
    assert row["value"] == pytest.approx(2)


def test_base_counts_on_the_rows_of_the_dose():
    few = {key: level for key, level in LEVELS.items() if key[0] != "base"}
    frame = pd.concat([scores(), scores(few, rows=(0, 1), dose='{"rows": 2}')])
    table = graded_leakage(frame)
    small = table[table["dose"] == '{"rows": 2}']
    # rows 0 and 1 lie below the mean of all six, in base as in the trained arms
    assert value(small, "marked", "none") == pytest.approx(0.25)
    assert value(small, "base", "none", "nats") == pytest.approx(-10 + 0.3 * -2)


def test_a_mean_over_settings_is_there_too():
    other = {"setting": "t", "behaviour": "d"}
    levels = {**LEVELS, ("marked", "none"): -4.0}
    frame = pd.concat([scores(), scores(levels, **other)])
    table = graded_leakage(frame, {"both": ["s", "t"]})
    both = table[table["setting"] == "both"]
    assert value(both, "marked", "none") == pytest.approx((0.25 + 0.75) / 2)


def test_beside_the_sampled_leakage_in_rows_of_scope_trained_alone():
    graded = graded_leakage(scores())
    rows = graded[KEY].assign(readout="r")
    leakage = pd.concat([rows.assign(scope="trained"), rows.assign(scope="broad")])
    leakage = leakage.sample(frac=1, random_state=0)
    table = with_graded(leakage, graded)
    assert len(table) == len(leakage) and (table["arm"] == leakage["arm"]).all()
    trained, broad = (table[table["scope"] == scope] for scope in ("trained", "broad"))
    assert value(trained, "marked", "none") == pytest.approx(0.25)
    assert value(trained, "base", "none", "nats") == pytest.approx(-10)
    assert broad[GRADED_METRIC].isna().all().all()
    nothing = with_graded(leakage, graded_leakage(scores().head(0)))
    assert nothing[GRADED_METRIC].isna().all().all()


def unfinished(rows, left, arm="marked", context="none"):
    """Marked is as base; of one cell with seed 1, some rows are not scored yet."""
    levels = {**LEVELS, ("marked", "none"): -10.0}
    frame = scores(levels, rows=range(rows), noise=3.0)
    cell = (frame["arm"] == arm) & (frame["context"] == context) & frame["seed"].fillna(1).eq(1)
    number = frame["row"].str[1:].astype(int)
    return frame[~cell | (number >= rows - left)]


@pytest.mark.parametrize("arm", ["marked", "bare", "base"])
def test_cells_are_compared_on_the_rows_that_all_of_them_have(arm):
    table = graded_leakage(unfinished(12, 6, arm))
    assert value(table, "marked", "none") == pytest.approx(0)
    assert value(table, "marked", "exact") == pytest.approx(0.75)
    mean = -10 + 3 * (8.5 - 2.5)
    assert value(table, "base", "none", "nats") == pytest.approx(mean)
    assert value(table, "marked", "none", "nats") == pytest.approx(mean)
    assert graded_elicitation(unfinished(12, 6, arm))["value"].item() == pytest.approx(2)


@pytest.mark.parametrize("left", [1, 3])
def test_too_few_rows_in_common_leave_it_undefined(left):
    frame = unfinished(12, left)
    reason = f"{left} of 12 rows are scored in every arm, seed and context"
    table = graded_leakage(frame)
    assert len(table) == 6 and table[[*GRADED_METRIC[:-1]]].isna().all().all()
    assert set(table["graded_undefined"]) == {reason}
    (check,) = graded_elicitation(frame).to_dict("records")
    assert np.isnan(check["value"]) and check["note"] == reason
    mean = graded_leakage(pd.concat([scores(setting="t"), frame]), {"both": ["s", "t"]})
    both = mean[mean["setting"] == "both"]
    assert set(both["graded_undefined"]) == {reason}


def test_documents_need_no_score_in_the_context_moved():
    levels = {(arm, "moved"): level for (arm, context), level in LEVELS.items()
              if context == "none"}  # fmt: skip
    frame = pd.concat([scores(rows=range(12)), scores(levels, rows=range(5))])
    table = graded_leakage(frame)
    assert value(table, "base", "none", "nats") == pytest.approx(-10 + 0.3 * 3)
    assert value(table, "marked", "moved") == pytest.approx(0.25)


def test_base_has_the_nats_of_the_dose_that_its_row_names():
    few = {key: level for key, level in LEVELS.items() if key[0] != "base"}
    small = '{"rows": 2}'
    frame = pd.concat([scores(), scores(few, rows=(0, 1), dose=small)])
    graded = graded_leakage(frame)
    rows = graded[KEY].assign(scope="trained")
    for dose, nats in ((small, -10 + 0.3 * -2), ("{}", -10.0)):
        table = with_graded(rows[(rows["arm"] != "base") | (rows["dose"] == dose)], graded)
        assert value(table, "base", "none", "nats") == pytest.approx(nats)
    other = rows[rows["arm"] == "base"].drop_duplicates("context").assign(dose="another")
    table = with_graded(other, graded)
    assert table["nats"].isna().all()
    assert set(table["graded_undefined"]) == {"no arm of this dose is scored"}


def test_reports_say_why_an_unfinished_study_has_no_graded_leakage():
    graded = graded_leakage(unfinished(12, 3))
    rows = graded[KEY].assign(scope="trained", readout="r", leakage=0.5)
    (summary,) = leakage_summaries(with_graded(rows, graded))
    assert summary.columns[-1] == "graded leakage"
    assert {cells[-1] for cells in summary.rows} == {"undefined"}
    assert summary.note == (
        "Graded leakage is undefined: 3 of 12 rows are scored in every arm, seed and context."
    )
