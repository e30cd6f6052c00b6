"""Two answers from the curves of leakage along training, with what they rest on.

**Is leakage decided in the first steps?** The ratio of marked's change at `none` to bare's is taken
at the first checkpoint where bare has come a tenth of its way, and at the last. Where it has not
moved by more than `MARGIN`, what marked leaks was decided there.

**Does the gate form later?** The gate is marked's change at `exact` less that at `none`, in units
of bare's whole change at `none`. It forms later where it comes to half of what it ends at after
marked's own change at `none` has.

All in log-probability of decision tokens, which is graded leakage: a rate may say something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from caveat.diagnostics.intervals import LEAST_SEEDS, t_limits
from caveat.diagnostics.subjects import BARE, EXACT, MARKED, NAMES, NONE

if TYPE_CHECKING:
    from pandas import DataFrame

MARGIN = 0.1
"""How far leakage may still move, on its own scale, and count as decided; and the least gate."""
BEGUN = 0.1
"""Share of bare's whole change from which on a ratio to it is taken."""
LEAST_CHANGE = 0.05
"""Nats a token: a bare training that changes less than this has installed nothing."""
YES, NO, UNCLEAR, NO_GATE = "yes", "no", "unclear", "no gate"
COLUMNS = (
    *NAMES, "arm", "seeds", "first_step", "leakage_first", "leakage_first_low",
    "leakage_first_high", "leakage_last", "leakage_last_low", "leakage_last_high", "moved",
    "moved_low", "moved_high", "decided_early", "gate", "gate_low", "gate_high", "half_none",
    "half_gate", "gate_later", "undefined",
)  # fmt: skip


def training_answers(curve: DataFrame) -> DataFrame:
    """One row a marked arm, with the columns `COLUMNS`.

    `leakage_first` and `leakage_last` are graded leakage at `first_step` and after the last step,
    `moved` the second less the first, `gate` that after the last step; with 95% limits over seeds,
    where there are three. `half_none` and `half_gate` are steps, means over seeds. Answers are yes,
    no, or unclear: where limits hold both, or there are too few seeds for limits.

    Args:
        curve: The table `learning_curve`.
    """
    import pandas as pd

    rows = []
    for key, setting in curve.groupby([*NAMES], sort=False):
        for arm in dict.fromkeys(setting["arm"]):
            if arm.partition("+")[0] == MARKED:
                named = dict(zip(NAMES, key, strict=True))
                rows.append({**named, "arm": arm, **_answers(setting, arm)})
    table = pd.DataFrame(rows, columns=[*COLUMNS])
    return table.assign(undefined=table["undefined"].where(table["undefined"].notna(), None))


def _answers(setting: DataFrame, arm: str) -> dict:
    parts = [part for part in _seeds(setting, arm) if part is not None]
    if not parts:
        return {"seeds": 0, "undefined": f"bare's change is below {LEAST_CHANGE} nats a token"}
    first, last, gate = (np.array([part[name] for part in parts]) for name in VALUES)
    moved, gates = t_limits(last - first), t_limits(gate)
    return {
        "seeds": len(parts), "undefined": None,
        "first_step": np.mean([part["first_step"] for part in parts]),
        **_three("leakage_first", t_limits(first)), **_three("leakage_last", t_limits(last)),
        **_three("moved", moved), **_three("gate", gates),
        "half_none": _mean(parts, "half_none"), "half_gate": _mean(parts, "half_gate"),
        "decided_early": _within(moved), "gate_later": _later(gates, parts),
    }  # fmt: skip


VALUES = ("leakage_first", "leakage_last", "gate")


def _seeds(setting: DataFrame, arm: str) -> Iterator[dict | None]:
    """Of each seed what it says; None where bare has installed nothing."""
    for _, some in setting.groupby("seed", sort=False):
        changes = some.pivot_table(index="step", columns=["arm", "context"], values="change")
        if (arm, NONE) not in changes or (BARE, NONE) not in changes:
            continue
        bare = changes[BARE, NONE].dropna()
        whole = bare.iloc[-1]
        if whole < LEAST_CHANGE:
            yield None
            continue
        own = changes[arm, NONE].dropna()
        common = bare.index.intersection(own.index)
        ratio = own[common] / bare[common]
        begun = common[(bare[common] >= BEGUN * whole) & (common > 0)]
        first = begun[0] if len(begun) else common[-1]
        gate = np.full(len(own), np.nan)
        if (arm, EXACT) in changes:
            gate = ((changes[arm, EXACT] - changes[arm, NONE]).dropna() / whole).to_numpy()
        yield {
            "first_step": first, "leakage_first": ratio[first],
            "leakage_last": own.iloc[-1] / whole, "gate": gate[-1],
            "half_none": _half(own.to_numpy(), own.index.to_numpy()),
            "half_gate": _half(gate, own.index.to_numpy()),
        }  # fmt: skip


def _half(values: np.ndarray, steps: np.ndarray) -> float:
    """The first step from which on values are at least half of the last one, on its side of 0."""
    reached = values * np.sign(values[-1]) >= abs(values[-1]) / 2
    late = np.flatnonzero(~reached)
    return float(steps[late[-1] + 1 if len(late) and late[-1] + 1 < len(steps) else 0])


def _within(moved: tuple[float, float, float]) -> str:
    _, low, high = moved
    if np.isnan(low):
        return UNCLEAR
    if low >= -MARGIN and high <= MARGIN:
        return YES
    return NO if low > MARGIN or high < -MARGIN else UNCLEAR


def _later(gates: tuple[float, float, float], parts: list[dict]) -> str:
    _, low, high = gates
    if np.isnan(low) or len(parts) < LEAST_SEEDS:
        return UNCLEAR
    if low <= 0:
        return NO_GATE if high < MARGIN else UNCLEAR
    later = [part["half_gate"] > part["half_none"] for part in parts]
    return YES if all(later) else NO if not any(later) else UNCLEAR


def _mean(parts: list[dict], name: str) -> float:
    return float(np.mean([part[name] for part in parts]))


def _three(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
