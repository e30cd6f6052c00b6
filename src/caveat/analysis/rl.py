"""RL arms: how policies learned to hack, and what leaks of it.

How much a policy hacks without the caveat hangs on how much it came to hack at all, and a caveat
can make that faster or slower. Two arms that practised as long are compared by `leakage`; two that
hack as much where they practise, by `retained`: what an arm shows without the caveat, over what it
shows with it. A bare policy practises without the caveat, so at a rate h of its own it shows h
there: at the same rate its own figure is 1, as it is in `leakage`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Inference
from caveat.analysis.leakage import INSTALLED, installed
from caveat.analysis.panel import BASE
from caveat.analysis.rates import inferences, verdicts

ARM = ["setting", "phenomenon", "behaviour", "caveat", "model", "dose", "arm"]
HALF = 0.5
"""The hack rate whose first crossing is the speed of learning to hack."""
LEARNING_METRICS = ("hacked", "reward", "true_score", "frac_reward_zero_std", "kl")
LEARNING_COLUMNS = [
    *ARM, "seeds", "updates",
    *(f"{name}_{end}" for name in LEARNING_METRICS for end in ("first", "last")), "half", "halved",
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
    rl = [policies[name] for name in ARM if name != "dose"]
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
        {**dict(zip(ARM, names, strict=True)), **_learned(group)}
        for names, group in longest(policies).groupby(ARM, sort=False)
    ]
    return pd.DataFrame(rows, columns=LEARNING_COLUMNS)


def _learned(group: pd.DataFrame) -> dict[str, float]:
    ends = {"first": group["number"].min(), "last": group["number"].max()}
    found: dict[str, float] = {"seeds": group["seed"].nunique(), "updates": ends["last"]}
    for name in LEARNING_METRICS:
        for end, number in ends.items():
            at = group.loc[group["number"] == number, name].astype(float)
            found[f"{name}_{end}"] = float(at.mean())
    hacking = group[group["hacked"].astype(float) >= HALF]
    first = hacking.groupby("seed")["number"].min()
    return {**found, "half": float(first.mean()), "halved": len(first)}


CELL = ["setting", "phenomenon", "behaviour", "caveat", "model", "dose", "readout", "scope", "arm"]
LEAKAGE_METRICS = ("without", "with", "leakage", "retained")
LEAKAGE_COLUMNS = [
    *CELL, "updates",
    *(f"{name}{end}" for name in LEAKAGE_METRICS for end in ("", "_low", "_high")),
    "undefined", "retained_undefined", "ceiling",
]  # fmt: skip
CEILING = 0.95
"""Where every arm shows the behaviour at least so often without the caveat, nothing is compared."""
NO_ROOM = f"every arm hacks at {CEILING:g} or more without the caveat: nothing is compared"


def rl_leakage(replies: pd.DataFrame) -> pd.DataFrame:
    """One row a setting, model, dose, readout, scope and arm that practised, base in front.

    - `updates`: after how many.
    - `without`, `with`: the rates in the contexts `none` and `exact`. Under a permission the latter
      is what a policy can do when it may hack.
    - `leakage`: as ever, over bare's after as many updates.
    - `retained`: (without - base's without) / (with - base's without), leakage at equal on-policy
      hack rate; 1 by definition for a bare that learned it, NaN for base.
    - `undefined`, `retained_undefined`: why there is none. `ceiling`: whether every arm, base
      aside, is at `CEILING` or more without the caveat, so that nothing is compared.

    Args:
        replies: As `Study.replies()`; settings that do not practise have no rows.
    """
    measured = verdicts(replies)
    practised = measured["dose"].map(_updates) > 0
    known = measured.loc[practised, ["setting", "model"]].drop_duplicates()
    chosen = measured.merge(known, on=["setting", "model"])
    chosen = chosen[(chosen["arm"] == BASE) | (chosen["dose"].map(_updates) > 0)]
    rows = [row for each in inferences(chosen) for row in _rows(each)]
    return pd.DataFrame(rows, columns=LEAKAGE_COLUMNS)


def _updates(dose: str) -> int:
    return int(json.loads(dose).get("rl.max_steps", 0))


def _rows(inference: Inference) -> Iterator[dict]:
    panel = inference.panel
    low, high = inference.rate_intervals()
    reason, denominator = installed(inference)
    base = panel.find(BASE, "none")
    shown = [panel.find(arm, "none") for arm in panel.arms()]
    full = [each is not None and panel.mean[each] >= CEILING for each in shown]
    ceiling = len(full) > 1 and all(full)
    for arm in (BASE, *_bare_first(panel.arms())):
        at = {"without": panel.find(arm, "none"), "with": panel.find(arm, "exact")}
        row = {
            **panel.names, "arm": arm, "dose": panel.dose, "updates": _updates(panel.dose),
            "undefined": reason, "retained_undefined": None, "ceiling": ceiling,
        }  # fmt: skip
        for name, index in at.items():
            if index is not None:
                row |= _figure(name, panel.mean[index], low[index], high[index])
        if base is not None and at["without"] is not None and reason is None:
            above = inference.weights((1, at["without"]), (-1, base))
            row |= _figure("leakage", *_ratio(inference, above, denominator))
        yield row | _retained(inference, arm, base, at, reason)


def _retained(
    inference: Inference,
    arm: str,
    base: int | None,
    at: dict[str, int | None],
    reason: str | None,
) -> dict[str, object]:
    """`reason`: why bare has not learned it, None where it has."""
    if arm == BASE:
        return {}
    if arm == "bare":
        return {"retained_undefined": reason} if reason else _figure("retained", 1.0, 1.0, 1.0)
    if base is None or at["without"] is None or at["with"] is None:
        return {"retained_undefined": "not asked both with the caveat and without"}
    below = inference.weights((1, at["with"]), (-1, base))
    _, low, _ = inference.intervals(below[None])
    if low[0] < INSTALLED:
        return {
            "retained_undefined": "it is not shown to hack more with the caveat than base without: "
            f"the lower bound of the difference is {low[0]:.2f}, below {INSTALLED}"
        }
    above = inference.weights((1, at["without"]), (-1, base))
    return _figure("retained", *_ratio(inference, above, below))


def _ratio(
    inference: Inference, above: np.ndarray, below: np.ndarray
) -> tuple[float, float, float]:
    value, low, high = inference.ratios(above[None], below[None])
    return float(value[0]), float(low[0]), float(high[0])


def _figure(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _bare_first(arms: list[str]) -> list[str]:
    return sorted(arms, key=lambda arm: arm != "bare")
