"""How policies learned, from updates made by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from caveat.analysis.rl_learning import CELL, learning
from constructed import row


def updates(arm: str, seed: int, hacked: list[float | None], rate: float = 0.1) -> pd.DataFrame:
    dose = json.dumps({"rl.max_steps": len(hacked), "learning_rate": rate})
    names = dict.fromkeys(CELL, "a") | {"arm": arm, "seed": seed, "dose": dose}
    names |= {"kl": np.nan}
    return pd.DataFrame(
        [
            {**names, "number": n, "hacked": share, "reward": n / 10, "true_score": 1 - n / 10,
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
    assert (bare["hacked_first"], bare["hacked_last"]) == (0.2, 0.8)
    assert (bare["half"], bare["halved"], bare["seeds"], bare["updates"]) == (2.5, 2, 2, 3)
    assert (marked["half"], marked["halved"]) == (2.0, 1)
    ends = (bare["reward_last"], bare["true_score_last"], bare["frac_reward_zero_std_last"])
    assert ends == (0.3, 0.7, 0.5)
    assert np.isnan(control["hacked_last"]) and np.isnan(control["half"]) and control["halved"] == 0
    assert np.isnan(bare["kl_last"])


def test_of_practices_that_share_their_updates_the_longest_is_told():
    short, long = updates("bare", 0, [0.1, 0.2]), updates("bare", 0, [0.1, 0.2, 0.6, 0.7])
    other = updates("bare", 0, [0.3, 0.5], rate=0.2)
    table = learning(pd.concat([short, long, other], ignore_index=True))
    assert sorted(zip(table["updates"], table["half"], strict=True)) == [(2, 2), (4, 3)]
