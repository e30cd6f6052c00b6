"""RL arms: how policies learned, and what leaks at equal updates and at equal hack rate."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from caveat.analysis.rl import ARM_KEY, LEAKAGE_COLUMNS, learning, rl_leakage
from constructed import replies, row


def updates(arm: str, seed: int, hacked: list[float | None], rate: float = 0.1) -> pd.DataFrame:
    dose = json.dumps({"rl.max_steps": len(hacked), "learning_rate": rate})
    names = dict.fromkeys(ARM_KEY, "a") | {"arm": arm, "seed": seed, "dose": dose}
    names |= {"kl": np.nan}
    return pd.DataFrame(
        [
            {**names, "step": n, "hack_rate": share, "reward": n / 10, "true_score": 1 - n / 10,
             "frac_reward_zero_std": 0.5}
            for n, share in enumerate(hacked, 1)
        ]
    )  # fmt: skip


def test_ends_and_the_update_in_which_half_hack():
    made = [updates("bare", 0, [0.1, 0.4, 0.9]), updates("bare", 1, [0.3, 0.6, 0.7]),
            updates("marked", 0, [0.0, 0.1, 0.2]), updates("marked", 1, [0.0, 0.5, 0.3]),
            updates("marked+true_reward", 0, [None, None, None])]  # fmt: skip
    table = learning(pd.concat(made, ignore_index=True))
    bare, marked, control = (row(table, arm=arm) for arm in table["arm"])
    assert (bare["hack_rate_first"], bare["hack_rate_last"]) == (0.2, 0.8)
    assert (bare["half"], bare["halved"], bare["seeds"], bare["updates"]) == (2.5, 2, 2, 3)
    assert (marked["half"], marked["halved"]) == (2.0, 1)
    ends = (bare["reward_last"], bare["true_score_last"], bare["frac_reward_zero_std_last"])
    assert ends == (0.3, 0.7, 0.5)
    assert np.isnan(control["hack_rate_last"]) and np.isnan(control["half"])
    assert control["halved"] == 0
    assert np.isnan(bare["kl_last"])


def test_of_practices_that_share_their_updates_the_longest_is_told():
    short, long = updates("bare", 0, [0.1, 0.2]), updates("bare", 0, [0.1, 0.2, 0.6, 0.7])
    other = updates("bare", 0, [0.3, 0.5], rate=0.2)
    table = learning(pd.concat([short, long, other], ignore_index=True))
    assert sorted(zip(table["updates"], table["half"], strict=True)) == [(2, 2), (4, 3)]


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
    return rl_leakage(practised({**BASE, **LATE}))


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


def test_an_arm_with_a_seeded_start_is_compared_with_bare_after_the_same_start():
    start = "seeded(share=0.6)"
    shown = {
        "bare": 0.1,
        f"bare+{start}": 0.5,
        f"marked+{start}": 0.3,
        f"marked+{start}+before": 0.2,
        "marked+seeded": 0.3,
    }
    rates = {(arm, "none"): rate for arm, rate in shown.items()}
    table = rl_leakage(practised(BASE | rates))
    leaked = dict(zip(table["arm"], table["leakage"], strict=True))
    assert leaked[f"bare+{start}"] == 1.0
    assert leaked[f"marked+{start}"] == pytest.approx(0.2 / 0.4)
    assert leaked[f"marked+{start}+before"] == pytest.approx(0.1 / 0.4)
    assert row(table, arm=f"bare+{start}")["retained"] == 1.0
    # bare without a start hacks no more than base; another start lacks its bare, and takes no other
    assert np.isnan(leaked["bare"]) and np.isnan(leaked["marked+seeded"])
    assert row(table, arm="marked+seeded")["undefined"] == "there is no arm 'bare+seeded'"


def test_where_every_arm_is_at_the_ceiling_it_is_said():
    full = {key: 1.0 for key in LATE}
    assert rl_leakage(practised({**BASE, **full}))["ceiling"].all()
    bare = {key: 1.0 for key in full if key[0] == "bare"}
    assert not rl_leakage(practised({**BASE, **bare}))["ceiling"].any(), "no other arm"
    one_less = {**full, ("marked+contrast", "none"): 0.9}
    assert not rl_leakage(practised({**BASE, **one_less}))["ceiling"].any()


def test_what_hacks_no_more_with_the_caveat_than_base_has_no_such_figure(table):
    made = practised({**BASE, **LATE, ("marked", "exact"): 0.1, ("marked", "none"): 0.1})
    marked = row(rl_leakage(made), arm="marked")
    assert np.isnan(marked["retained"]) and "lower bound" in marked["retained_undefined"]
    assert marked["leakage"] == pytest.approx(0.0)


def test_each_number_of_updates_is_compared_by_itself_with_one_base():
    early = {("bare", "none"): 0.5, ("bare", "exact"): 0.5,
             ("marked", "none"): 0.3, ("marked", "exact"): 0.5}  # fmt: skip
    late = practised({**BASE, **LATE}, 8)
    both = pd.concat([late, practised({**BASE, **early}, 2).query("arm != 'base'")])
    table = rl_leakage(both.reset_index(drop=True))
    assert sorted(table["updates"].unique()) == [2, 8]
    two = row(table[table["updates"] == 2], arm="marked")
    assert two["leakage"] == pytest.approx(0.2 / 0.4) and two["without"] == 0.3


def test_a_setting_that_is_not_practised_has_no_rows():
    assert list(rl_leakage(replies({**BASE, **LATE})).columns) == LEAKAGE_COLUMNS
    assert rl_leakage(replies({**BASE, **LATE})).empty
