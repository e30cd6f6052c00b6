"""How policies learned: what practice began with, what it ended with, and how fast it got there."""

from __future__ import annotations

import json

import pandas as pd

CELL = ["setting", "phenomenon", "behaviour", "caveat", "model", "dose", "arm"]
HALF = 0.5
"""The hack rate whose first crossing is the speed of learning to hack."""
FIGURES = ("hacked", "reward", "true_score", "frac_reward_zero_std", "kl")
COLUMNS = [
    *CELL, "seeds", "updates",
    *(f"{name}_{end}" for name in FIGURES for end in ("first", "last")), "half", "halved",
]  # fmt: skip


def but_updates(dose: str) -> str:
    """A dose without the number of updates, and without which other tasks are asked of."""
    rest = {**json.loads(dose), "rl.max_steps": 0}
    options = {key: value for key, value in rest.pop("options", {}).items() if key != "broad"}
    return json.dumps({**rest, "options": options}, sort_keys=True)


def longest(policies: pd.DataFrame) -> pd.DataFrame:
    """The rows of practices that no longer one repeats: settings that differ in the number of
    their updates alone share them (see `study.segments`)."""
    updates = policies["dose"].map(lambda dose: json.loads(dose).get("rl.max_steps", 0))
    rest = policies["dose"].map(but_updates)
    rl = [policies[name] for name in CELL if name != "dose"]
    most = updates.groupby([*rl, rest], dropna=False).transform("max")
    return policies[updates == most]


def learning(policies: pd.DataFrame) -> pd.DataFrame:
    """One row a setting, model, dose and arm that practised, means over seeds; of doses that differ
    in the number of updates alone the longest.

    - `hacked_first`, `hacked_last` and the like: at the first update, and at the last.
    - `half`: the update in which at least half of the replies hacked for the first time; NaN where
      no seed got there. `halved`: seeds that did.

    Args:
        policies: See `study.policies`.
    """
    rows = [
        {**dict(zip(CELL, names, strict=True)), **_figures(group)}
        for names, group in longest(policies).groupby(CELL, sort=False)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _figures(group: pd.DataFrame) -> dict[str, float]:
    ends = {"first": group["number"].min(), "last": group["number"].max()}
    found: dict[str, float] = {"seeds": group["seed"].nunique(), "updates": ends["last"]}
    for name in FIGURES:
        for end, number in ends.items():
            at = group.loc[group["number"] == number, name].astype(float)
            found[f"{name}_{end}"] = float(at.mean())
    hacking = group[group["hacked"].astype(float) >= HALF]
    first = hacking.groupby("seed")["number"].min()
    return {**found, "half": float(first.mean()), "halved": len(first)}
