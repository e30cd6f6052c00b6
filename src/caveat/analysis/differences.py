"""Differences of rates at the context `none`, in families that are corrected together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Inference
from caveat.analysis.panel import BASE, IDENTITY
from caveat.analysis.rates import inferences, verdicts

FAMILY = [*IDENTITY, "readout"]
"""Columns within which p-values are corrected."""
COLUMNS = [
    *IDENTITY, "dose", "scope", "readout", "difference", "arm", "against", "context",
    "value", "low", "high", "p", "p_holm", "distinguishable", "interval",
]  # fmt: skip


def differences(replies: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of arms (see `pairs`), with the columns `COLUMNS`.

    `value` in [-1, 1] is R(arm, none) - R(against, none) with its 95% interval; `p` is the level
    at which the interval reaches 0; `p_holm` is corrected within a setting and readout (all doses
    and scopes); `distinguishable` whether the interval leaves out 0.
    """
    found = [row for inference in inferences(verdicts(replies)) for row in _rows(inference)]
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(found)
    corrected = table.groupby(FAMILY, dropna=False)["p"].transform(holm)
    return table.assign(p_holm=corrected)[COLUMNS].sort_values(COLUMNS[:10], ignore_index=True)


def pairs(arms: list[str]) -> list[tuple[str, str]]:
    """Which of the trained arms is compared with which.

    Every arm with base; bare with every arm; and for every `marked+X`: with `marked`, with its
    control `bare+X`, and with `marked+filler`, where these exist.
    """
    found = [(arm, BASE) for arm in arms]
    found += [("bare", arm) for arm in arms if arm != "bare" and "bare" in arms]
    for arm in arms:
        if arm.startswith("marked+"):
            controls = ("marked", "bare+" + arm.removeprefix("marked+"), "marked+filler")
            found += [(arm, control) for control in controls if control in arms and control != arm]
    return found


def holm(p: pd.Series | np.ndarray) -> np.ndarray:
    """Holm's (1979) step-down adjusted p-values, in [0, 1], in the order given; NaN is no test."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
    return np.minimum(adjusted, 1.0)


def _rows(inference: Inference) -> Iterator[dict]:
    panel = inference.panel
    for arm, against in pairs(panel.arms()):
        first, second = panel.find(arm, "none"), panel.find(against, "none")
        if first is None or second is None:
            continue
        weights = inference.weights((1, first), (-1, second))[None]
        value, low, high = (float(part[0]) for part in inference.intervals(weights))
        yield {
            **panel.names,
            "dose": panel.dose,
            "difference": f"{arm} - {against}",
            "arm": arm,
            "against": against,
            "context": "none",
            "value": value,
            "low": low,
            "high": high,
            "p": float(inference.p_values(weights)[0]),
            "distinguishable": not low <= 0 <= high,
            "interval": "seeds" if inference.over_seeds(weights)[0] else "within seed",
        }
