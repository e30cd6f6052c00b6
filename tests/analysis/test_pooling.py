"""Means over settings, and leakage split by a column, on tables with known answers."""

import pandas as pd
import pytest

from caveat.analysis import leakage, leakage_by, pooled, rates
from constructed import replies, row

MEANS = {"mean": ["one", "two"]}
ONE = {("base", "none"): 0.0, ("bare", "none"): 1.0, ("marked", "none"): 0.75}
TWO = {("base", "none"): 0.25, ("bare", "none"): 0.75, ("marked", "none"): 0.25}


def settings(one=ONE, two=TWO, **changes) -> pd.DataFrame:
    """Two settings; the second has twice the questions."""
    first = replies(one, setting="one", behaviour="one", **changes)
    second = replies(two, clusters=24, setting="two", behaviour="two", **changes)
    return pd.concat([first, second], ignore_index=True)


def test_a_means_rate_is_the_mean_of_its_settings_rates_whatever_their_numbers():
    table = rates(pooled(settings(), MEANS))
    assert row(table, setting="mean", arm="marked")["value"] == pytest.approx(0.5)
    assert row(table, setting="mean", arm="base")["value"] == pytest.approx(0.125)
    found = row(table, setting="mean", arm="bare")
    assert found["questions"] == 24 + 48
    assert found["clusters"] == 12 + 24
    assert found["replies"] == 3 * (24 + 48)


def test_a_means_leakage_is_that_of_its_rates():
    found = row(leakage(pooled(settings(), MEANS)), setting="mean", arm="marked")
    assert found["leakage"] == pytest.approx((0.5 - 0.125) / (0.875 - 0.125))
    assert found["leakage_low"] < found["leakage"] < found["leakage_high"]
    assert found["phenomenon"] == "negation neglect"


def test_shares_of_a_mean_weigh_settings_alike_too():
    invalid = settings(ONE | {("marked", "none"): "invalid"})
    found = row(rates(pooled(invalid, MEANS)), setting="mean", arm="marked")
    assert found["valid"] == pytest.approx(0.5)
    assert found["valid_rate"] == pytest.approx(0.25)


def test_an_interval_of_two_like_settings_is_narrower_than_of_one():
    table = rates(pooled(settings(ONE, ONE), MEANS))
    width = {name: row(table, setting=name, arm="marked") for name in ("one", "two", "mean")}
    width = {name: found["high"] - found["low"] for name, found in width.items()}
    assert width["mean"] < min(width["one"], width["two"])


def test_what_one_setting_lacks_is_in_no_mean():
    more = ONE | {("marked+local", "none"): 0.0, ("marked", "exact"): 0.5}
    table = rates(pooled(settings(more), MEANS))
    mean = table[table["setting"] == "mean"]
    assert set(zip(mean["arm"], mean["context"], strict=True)) == set(ONE)


def test_the_settings_themselves_stay_as_they_were():
    frame = settings()
    with_mean = leakage(pooled(frame, MEANS))
    alone = with_mean[with_mean["setting"] != "mean"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, leakage(frame))
    assert pooled(frame, {}) is frame


def test_leakage_by_kind_is_the_leakage_of_each_kind():
    frame = pd.concat([settings(kind="mcq"), settings(TWO, ONE, kind="open_ended")])
    table = leakage_by(frame, "kind", MEANS)
    marked = table[table["arm"] == "marked"].set_index(["setting", "kind"])["leakage"]
    assert marked["one", "mcq"] == pytest.approx(0.75)
    assert marked["one", "open_ended"] == pytest.approx(0.0)
    assert marked["mean", "mcq"] == pytest.approx(marked["mean", "open_ended"])
    assert list(table).index("kind") == list(table).index("readout") + 1


def test_a_mean_by_kind_leaves_out_kinds_that_a_setting_lacks():
    frame = pd.concat([settings(kind="mcq"), replies(ONE, setting="one", kind="robustness")])
    table = leakage_by(frame, "kind", MEANS)
    assert set(table.loc[table["setting"] == "mean", "kind"]) == {"mcq"}
