"""Differences of rates at the context `none`, in families that are corrected together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Estimates
from caveat.analysis.panel import BASE, SETTING_COLUMNS
from caveat.analysis.rates import estimates_by_panel, interval_label, verdicts

FAMILY = [*SETTING_COLUMNS, "readout"]
"""Columns within which p-values are corrected."""
COLUMNS = [
    *SETTING_COLUMNS, "dose", "scope", "readout", "difference", "arm", "against", "context",
    "value", "low", "high", "p", "p_holm", "p_seeds", "distinguishable", "interval",
]  # fmt: skip


def differences(answers: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of arms (see `arm_pairs`), with the columns `COLUMNS`.

    `value` in [-1, 1] is R(arm, none) - R(against, none) with its 95% interval; `p` is the level
    at which the interval reaches 0; `p_holm` is corrected within a setting and readout (all doses
    and scopes); `p_seeds` is of the paired t-test over training seeds, NaN below three seeds;
    `distinguishable` says whether the interval leaves out 0.
    """
    rows = [row for estimates in estimates_by_panel(verdicts(answers)) for row in _rows(estimates)]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(rows)
    corrected = table.groupby(FAMILY, dropna=False)["p"].transform(holm)
    return table.assign(p_holm=corrected)[COLUMNS].sort_values(COLUMNS[:10], ignore_index=True)


def arm_pairs(arms: list[str]) -> list[tuple[str, str]]:
    """Pairs of trained arms to compare.

    Every arm with base; bare with every arm; every `marked+X` with `marked`, with its control
    `bare+X`, and with `marked+filler`; and `marked`, with X or without, with neutral text in the
    caveat's places. Pairs with an arm that does not exist are left out.
    """
    pairs = [(arm, BASE) for arm in arms]
    pairs += [("bare", arm) for arm in arms if arm != "bare" and "bare" in arms]
    for arm in arms:
        if arm.startswith("marked+"):
            controls = ("marked", "bare+" + arm.removeprefix("marked+"), "marked+filler")
            pairs += [(arm, control) for control in controls if control in arms and control != arm]
        if (
            arm.partition("+")[0] == "marked"
            and (same := arm.replace("marked", "neutral", 1)) in arms
        ):
            pairs.append((arm, same))
    return pairs


def holm(p: pd.Series | np.ndarray) -> np.ndarray:
    """Holm's (1979) step-down adjusted p-values, in [0, 1], in the order given.

    A NaN stays NaN and does not count as a test.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
    return np.minimum(adjusted, 1.0)


def _rows(estimates: Estimates) -> Iterator[dict]:
    panel = estimates.panel
    cells = {arm: panel.find(arm, "none") for arm in (BASE, *panel.arms())}
    pairs = [
        (arm, against)
        for arm, against in arm_pairs(panel.arms())
        if cells[arm] is not None and cells[against] is not None
    ]
    if not pairs:
        return
    # All at once: the search for a p-value takes as long for one pair as for a hundred.
    weights = np.stack([estimates.weights((1, cells[a]), (-1, cells[b])) for a, b in pairs])
    columns = (
        *estimates.intervals(weights),
        estimates.p_values(weights),
        estimates.seed_p_values(weights),
        estimates.over_seeds(weights),
    )
    rows = zip(pairs, *(column.tolist() for column in columns), strict=True)
    for (arm, against), value, low, high, p, p_seeds, over_seeds in rows:
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
            "p": p,
            "p_seeds": p_seeds,
            "distinguishable": not low <= 0 <= high,
            "interval": interval_label(over_seeds),
        }
