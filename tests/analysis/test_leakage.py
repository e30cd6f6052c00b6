"""Leakage on tables with known answers."""

import json

import numpy as np
import pandas as pd
import pytest

from caveat.analysis import leakage, leakage_records
from constructed import DOSE, replies, row

BASE_AND_BARE = {("base", "none"): 0.0, ("bare", "none"): 1.0}


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_leakage_is_how_far_from_base_to_bare_the_arm_lies(rate):
    table = leakage(replies(BASE_AND_BARE | {("marked", "none"): rate}))
    marked = row(table, arm="marked")
    assert marked["leakage"] == pytest.approx(rate)
    assert marked["leakage_low"] < rate < marked["leakage_high"]
    assert marked["undefined"] is None


def test_a_base_rate_is_taken_off_above_and_below():
    rates = {("base", "none"): 0.25, ("bare", "none"): 0.75, ("marked", "none"): 0.5}
    assert row(leakage(replies(rates)), arm="marked")["leakage"] == pytest.approx(0.5)


@pytest.mark.parametrize(("marked", "expected"), [(0.0, -0.5), (1.0, 1.5)])
def test_leakage_is_never_clipped(marked, expected):
    rates = {("base", "none"): 0.25, ("bare", "none"): 0.75, ("marked", "none"): marked}
    found = row(leakage(replies(rates)), arm="marked")
    assert found["leakage"] == pytest.approx(expected)
    assert found["leakage_low"] < expected < found["leakage_high"]


def test_every_context_has_the_denominator_of_none():
    rates = BASE_AND_BARE | {("base", "exact"): 0.5, ("bare", "exact"): 0.75}
    table = leakage(replies(rates | {("marked", "exact"): 1.0}))
    assert row(table, arm="marked", context="exact")["leakage"] == pytest.approx(0.5)
    assert row(table, arm="bare", context="exact")["leakage"] == pytest.approx(0.25)


def test_base_is_0_and_bare_is_1_by_definition():
    table = leakage(replies({("base", "none"): 0.125, ("bare", "none"): 0.875}))
    columns = ["leakage", "leakage_low", "leakage_high"]
    assert row(table, arm="base")[columns].tolist() == [0, 0, 0]
    assert row(table, arm="bare")[columns].tolist() == [1, 1, 1]


def test_leakage_is_undefined_where_bare_did_not_install_the_behaviour():
    rates = {("base", "none"): 0.0, ("bare", "none"): 0.125, ("marked", "none"): 0.125}
    table = leakage(replies(rates))
    assert table["leakage"].isna().all()
    low = row(table, arm="bare")["undefined"].split(" is ")[1].split(",")[0]
    assert float(low) < 0.1
    assert row(table, arm="marked")["undefined"] == (
        "bare training did not install the behaviour: the lower bound of "
        f"R(bare, none) - R(base, none) is {low}, below 0.1"
    )


def test_a_difference_just_large_enough_defines_leakage():
    table = leakage(replies({("base", "none"): 0.0, ("bare", "none"): 0.5}, clusters=24))
    assert table["undefined"].isna().all()


@pytest.mark.parametrize(
    ("rates", "reason"),
    [
        ({("base", "none"): 0.0, ("marked", "none"): 0.5}, "there is no arm 'bare'"),
        (
            {("base", "none"): 0.0, ("bare", "exact"): 1.0, ("marked", "none"): 0.5},
            "bare was not tested in the context 'none'",
        ),
        (
            {("bare", "none"): 1.0, ("marked", "none"): 0.5},
            "base was not tested in the context 'none'",
        ),
    ],
)
def test_leakage_names_what_is_missing(rates, reason):
    marked = row(leakage(replies(rates)), arm="marked")
    assert marked["undefined"] == reason
    assert np.isnan(marked["leakage"])
    assert marked["rate"] == 0.5


def test_a_context_that_base_was_not_asked_in_is_undefined_alone():
    table = leakage(replies(BASE_AND_BARE | {("marked", "exact"): 1.0, ("marked", "none"): 0.5}))
    reason = "base was not tested in the context 'exact'"
    assert row(table, arm="marked", context="exact")["undefined"] == reason
    assert row(table, arm="marked", context="none")["undefined"] is None


def test_each_dose_has_its_own_bare():
    strong = replies(BASE_AND_BARE | {("marked", "none"): 0.5})
    weak = replies({("bare", "none"): 0.5, ("marked", "none"): 0.5}, dose='{"epochs": 2}')
    table = leakage(pd.concat([strong, weak], ignore_index=True))
    assert row(table, arm="marked", dose=DOSE)["leakage"] == pytest.approx(0.5)
    assert row(table, arm="marked", dose='{"epochs": 2}')["leakage"] == pytest.approx(1.0)


def test_pairs_are_kept_so_arms_that_answer_alike_have_a_narrow_leakage():
    rates = {("base", "none"): 0.0, ("bare", "none"): 0.5}
    alike = replies(rates | {("marked", "none"): 0.5}, clusters=24)
    opposite = alike.copy()
    marked = opposite["arm"] == "marked"
    opposite.loc[marked, "verdict"] = opposite.loc[marked, "verdict"].map(
        {"yes": "no", "no": "yes"}
    )
    found = [row(leakage(each), arm="marked") for each in (alike, opposite)]
    assert [each["leakage"] for each in found] == pytest.approx([1.0, 1.0])
    width = [each["leakage_high"] - each["leakage_low"] for each in found]
    assert 0 < width[0] < width[1] / 2


def test_records_are_plain_and_hold_no_nan():
    rates = {("base", "none"): 0.0, ("bare", "none"): 1.0, ("marked", "none"): 0.5,
             ("marked", "exact"): 1.0}  # fmt: skip
    printed = leakage_records(leakage(replies(rates)))
    text = json.dumps(printed, allow_nan=False)
    by_cell = {(each["arm"], each["context"]): each for each in json.loads(text)}
    assert set(by_cell["marked", "none"]) == {
        "setting", "phenomenon", "behaviour", "caveat", "model", "arm", "context", "scope",
        "readout", "dose", "rate", "leakage", "undefined", "interval", "questions", "clusters",
        "seeds", "replies", "valid", "truncated",
    }  # fmt: skip
    assert by_cell["marked", "none"]["leakage"]["value"] == pytest.approx(0.5)
    assert by_cell["marked", "none"]["dose"] == {"epochs": 1}
    assert by_cell["marked", "none"]["undefined"] is None
    assert by_cell["marked", "exact"]["leakage"] is None
    assert by_cell["marked", "exact"]["undefined"] == "base was not tested in the context 'exact'"
    assert set(by_cell["base", "none"]["rate"]) == {"value", "low", "high"}
