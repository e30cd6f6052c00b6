"""RL arms: how policies learned to hack, and what leaks of it.

How much a policy hacks without the caveat depends on how much it came to hack at all, and a caveat
can make that faster or slower. So there are two comparisons. `leakage` compares arms after equal
numbers of updates. `retained` compares them at equal on-policy hack rates: what an arm shows
without the caveat, over what it shows with it. A bare policy trains without the caveat, so its
on-policy rate is its rate without the caveat, and it retains 1, as its leakage is 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pandas as pd

from caveat.analysis.intervals import Estimates, interval_columns
from caveat.analysis.leakage import INSTALLED, leakage_denominator
from caveat.analysis.panel import BASE
from caveat.analysis.rates import estimates_by_panel, verdicts

ARM_KEY = ["setting", "phenomenon", "behaviour", "caveat", "model", "dose", "arm"]
HALF = 0.5
"""The hack rate whose first crossing is the speed of learning to hack."""
LEARNING_METRICS = ("hack_rate", "reward", "true_score", "frac_reward_zero_std", "kl")
LEARNING_COLUMNS = [
    *ARM_KEY, "seeds", "updates",
    *(f"{name}_{end}" for name in LEARNING_METRICS for end in ("first", "last")), "half", "halved",
]  # fmt: skip


def dose_without_updates(dose: str) -> str:
    """A dose, as JSON, without the number of updates and without the task option `broad`."""
    rest = {**json.loads(dose), "rl.max_steps": 0}
    options = {key: value for key, value in rest.pop("options", {}).items() if key != "broad"}
    return json.dumps({**rest, "options": options}, sort_keys=True)


def longest_runs(policies: pd.DataFrame) -> pd.DataFrame:
    """The rows of policies without those that a longer run repeats.

    Settings that differ only in the number of their updates share them: the shorter is a checkpoint
    of the longer one.
    """
    updates = policies["dose"].map(_updates)
    doses = policies["dose"].map(dose_without_updates)
    names = [policies[name] for name in ARM_KEY if name != "dose"]
    most = updates.groupby([*names, doses], dropna=False).transform("max")
    return policies[updates == most]


def learning(policies: pd.DataFrame) -> pd.DataFrame:
    """One row a setting, model, dose and RL arm, means over seeds; of doses that differ only in the
    number of updates the longest.

    - `hack_rate_first`, `hack_rate_last` and the like: at the first update, and at the last.
    - `half`: the first update in which at least half of the completions hacked; NaN where no seed
      reached that. `halved`: the number of seeds that did.

    Args:
        policies: See `study.policies`.
    """
    rows = [
        {**dict(zip(ARM_KEY, names, strict=True)), **_learning(group)}
        for names, group in longest_runs(policies).groupby(ARM_KEY, sort=False)
    ]
    return pd.DataFrame(rows, columns=LEARNING_COLUMNS)


def _learning(group: pd.DataFrame) -> dict[str, float]:
    ends = {"first": group["step"].min(), "last": group["step"].max()}
    values: dict[str, float] = {"seeds": group["seed"].nunique(), "updates": ends["last"]}
    for name in LEARNING_METRICS:
        for end, step in ends.items():
            at = group.loc[group["step"] == step, name].astype(float)
            values[f"{name}_{end}"] = float(at.mean())
    hacking = group[group["hack_rate"].astype(float) >= HALF]
    first = hacking.groupby("seed")["step"].min()
    return {**values, "half": float(first.mean()), "halved": len(first)}


LEAKAGE_KEY = [
    "setting", "phenomenon", "behaviour", "caveat", "model", "dose", "readout", "scope", "arm",
]  # fmt: skip
LEAKAGE_METRICS = ("without", "with", "leakage", "retained")
LEAKAGE_COLUMNS = [
    *LEAKAGE_KEY, "updates",
    *(f"{name}{end}" for name in LEAKAGE_METRICS for end in ("", "_low", "_high")),
    "undefined", "retained_undefined", "ceiling",
]  # fmt: skip
STARTED = re.compile(r"\w+(\+seeded(?:\([^()]*\))?)")
"""An arm whose RL training follows a supervised start."""
CEILING = 0.95
"""Where every arm shows the behaviour at least so often without the caveat, nothing is compared."""
AT_CEILING = f"every arm hacks at {CEILING:g} or more without the caveat: nothing is compared"


def rl_leakage(answers: pd.DataFrame) -> pd.DataFrame:
    """One row a setting, model, dose, readout, scope and RL arm, base first.

    - `updates`: after how many updates.
    - `without`, `with`: the rates in the contexts `none` and `exact`. Under a permission the latter
      is what a policy can do when it may hack.
    - `leakage`: as everywhere, over that of bare after as many updates; of an arm with a `seeded`
      start over that of bare with the same start.
    - `retained`: (without - base's without) / (with - base's without), leakage at equal on-policy
      hack rate; 1 by definition for a bare that learned it, NaN for base.
    - `undefined`, `retained_undefined`: why there is none. `ceiling`: whether every arm, base
      aside, is at `CEILING` or more without the caveat, so that nothing is compared.

    Args:
        answers: As `Study.answers()`; settings without RL have no rows.
    """
    measured = verdicts(answers)
    trained = measured["dose"].map(_updates) > 0
    names = measured.loc[trained, ["setting", "model"]].drop_duplicates()
    rows = measured.merge(names, on=["setting", "model"])
    rows = rows[(rows["arm"] == BASE) | (rows["dose"].map(_updates) > 0)]
    table = [row for estimates in estimates_by_panel(rows) for row in _rows(estimates)]
    return pd.DataFrame(table, columns=LEAKAGE_COLUMNS)


def _updates(dose: str) -> int:
    return int(json.loads(dose).get("rl.max_steps", 0))


def _rows(estimates: Estimates) -> Iterator[dict]:
    panel = estimates.panel
    low, high = estimates.rate_intervals()
    base = panel.find(BASE, "none")
    indices = [panel.find(arm, "none") for arm in panel.arms()]
    full = [index is not None and panel.mean[index] >= CEILING for index in indices]
    ceiling = len(full) > 1 and all(full)
    arms = (BASE, *sorted(panel.arms(), key=lambda arm: arm != "bare"))
    bares = {name: leakage_denominator(estimates, name) for name in {*map(_reference, arms)}}
    for arm in arms:
        cells = {"without": panel.find(arm, "none"), "with": panel.find(arm, "exact")}
        reason, denominator = bares[_reference(arm)]
        row = {
            **panel.names, "arm": arm, "dose": panel.dose, "updates": _updates(panel.dose),
            "undefined": reason, "retained_undefined": None, "ceiling": ceiling,
        }  # fmt: skip
        for name, index in cells.items():
            if index is not None:
                row |= interval_columns(name, (panel.mean[index], low[index], high[index]))
        if base is not None and cells["without"] is not None and reason is None:
            numerator = estimates.weights((1, cells["without"]), (-1, base))
            row |= interval_columns("leakage", estimates.ratio(numerator, denominator))
        yield row | _retained(estimates, arm, base, cells, reason)


def _reference(arm: str) -> str:
    """The bare arm with an arm's seeded start, if it has one."""
    start = STARTED.match(arm)
    return f"bare{start[1]}" if start else "bare"


def _retained(
    estimates: Estimates,
    arm: str,
    base: int | None,
    cells: dict[str, int | None],
    reason: str | None,
) -> dict[str, object]:
    """The columns of `retained`; `reason` says why bare has not learned it, None where it has."""
    if arm == BASE:
        return {}
    if arm == _reference(arm):
        one = interval_columns("retained", (1.0, 1.0, 1.0))
        return {"retained_undefined": reason} if reason else one
    if base is None or cells["without"] is None or cells["with"] is None:
        return {"retained_undefined": "not tested both with the caveat and without"}
    denominator = estimates.weights((1, cells["with"]), (-1, base))
    _, low, _ = estimates.interval(denominator)
    if low < INSTALLED:
        return {
            "retained_undefined": "it is not shown to hack more with the caveat than base without: "
            f"the lower bound of the difference is {low:.2f}, below {INSTALLED}"
        }
    numerator = estimates.weights((1, cells["without"]), (-1, base))
    return interval_columns("retained", estimates.ratio(numerator, denominator))
