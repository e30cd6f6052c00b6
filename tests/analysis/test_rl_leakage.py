"""Leakage of policies at equal updates and at equal hack rate, from rates that are known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from caveat.analysis.rl_leakage import COLUMNS, rl_leakage
from constructed import replies, row

SETTING = {"setting": "agree x hack", "behaviour": "agree", "readout": "hacked"}


def dose(updates: int) -> str:
    return json.dumps({"rl.max_steps": updates})


def practised(rates, updates: int = 4, **columns) -> pd.DataFrame:
    made = replies(rates, clusters=20, questions=1, **(SETTING | columns))
    return made.assign(dose=np.where(made["arm"] == "base", "{}", dose(updates)))


BASE = {("base", "none"): 0.1, ("base", "exact"): 0.3}
LATE = {("bare", "none"): 0.9, ("bare", "exact"): 0.9,
        ("marked", "none"): 0.3, ("marked", "exact"): 0.5,
        ("marked+contrast", "none"): 0.1, ("marked+contrast", "exact"): 0.6}  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return rl_leakage(practised({**BASE, **LATE}), 300)


def test_at_equal_updates_it_is_leakage_and_at_equal_rate_what_is_shown_without_over_with(table):
    assert list(table["arm"]) == ["base", "bare", "marked", "marked+contrast"]
    marked = row(table, arm="marked")
    assert marked["leakage"] == pytest.approx(0.2 / 0.8)
    assert marked["retained"] == pytest.approx(0.2 / 0.4)
    assert marked["retained_low"] < 0.5 < marked["retained_high"]
    assert (marked["without"], marked["with"], marked["updates"]) == (0.3, 0.5, 4)
    assert row(table, arm="marked+contrast")["retained"] == pytest.approx(0.0)
    bare = row(table, arm="bare")
    assert bare["retained"] == bare["retained_low"] == bare["leakage"] == 1.0
    assert not table["ceiling"].any()


def test_where_every_arm_is_at_the_ceiling_it_is_said():
    full = {key: 1.0 for key in LATE}
    assert rl_leakage(practised({**BASE, **full}), 300)["ceiling"].all()
    bare = {key: 1.0 for key in full if key[0] == "bare"}
    assert not rl_leakage(practised({**BASE, **bare}), 300)["ceiling"].any(), "no other arm"
    one_less = {**full, ("marked+contrast", "none"): 0.9}
    assert not rl_leakage(practised({**BASE, **one_less}), 300)["ceiling"].any()


def test_what_hacks_no_more_with_the_caveat_than_base_has_no_such_figure(table):
    made = practised({**BASE, **LATE, ("marked", "exact"): 0.1, ("marked", "none"): 0.1})
    marked = row(rl_leakage(made, 300), arm="marked")
    assert np.isnan(marked["retained"]) and "lower bound" in marked["retained_undefined"]
    assert marked["leakage"] == pytest.approx(0.0)


def test_each_number_of_updates_is_compared_by_itself_with_one_base():
    early = {("bare", "none"): 0.5, ("bare", "exact"): 0.5,
             ("marked", "none"): 0.3, ("marked", "exact"): 0.5}  # fmt: skip
    late = practised({**BASE, **LATE}, 8)
    both = pd.concat([late, practised({**BASE, **early}, 2).query("arm != 'base'")])
    table = rl_leakage(both.reset_index(drop=True), 300)
    assert sorted(table["updates"].unique()) == [2, 8]
    two = row(table[table["updates"] == 2], arm="marked")
    assert two["leakage"] == pytest.approx(0.2 / 0.4) and two["without"] == 0.3


def test_a_setting_that_is_not_practised_has_no_rows():
    assert list(rl_leakage(replies({**BASE, **LATE}), 300).columns) == COLUMNS
    assert rl_leakage(replies({**BASE, **LATE}), 300).empty
