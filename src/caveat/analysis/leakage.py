"""Leakage: how much of what training installs without the caveat shows where it is absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Inference
from caveat.analysis.panel import BASE
from caveat.analysis.rates import CELL, RATES, inferences, pooled, rates, verdicts

INSTALLED = 0.1
"""The least that bare training must add to the rate at `none`, by the lower limit."""
LEAKAGE = ["leakage", "leakage_low", "leakage_high", "undefined"]
COLUMNS = [
    *CELL, "rate", "rate_low", "rate_high", *LEAKAGE,
    *RATES[RATES.index("valid"):],
]  # fmt: skip


def leakage(replies: pd.DataFrame) -> pd.DataFrame:
    """The rows of `rates` (as `rate`, `rate_low`, `rate_high`) with their leakage, `COLUMNS`.

    `leakage = (R(arm, c) - R(base, c)) / (R(bare, none) - R(base, none))`, never clipped, with its
    95% interval; 0 for base by definition. Where it is not defined, it is NaN and `undefined` says
    why, else `undefined` is None: bare or base is missing, or the lower limit of the denominator
    is below `INSTALLED`. That is decided once for a setting, readout, scope and dose.
    """
    table = rates(replies).rename(columns={"value": "rate", "low": "rate_low", "high": "rate_high"})
    found = [row for inference in inferences(verdicts(replies)) for row in _rows(inference)]
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    ratios = pd.DataFrame(found)
    # base stands in the panel of every dose: a defined one first
    order = ratios["leakage"].isna().argsort(kind="stable")
    ratios = ratios.iloc[order].drop_duplicates(CELL)
    joined = table.merge(ratios, on=CELL, validate="1:1")[COLUMNS]
    return joined.assign(
        undefined=joined["undefined"].astype(object).where(joined["undefined"].notna(), None)
    )


def leakage_by(
    replies: pd.DataFrame, column: str, means: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """The leakage of each value of a column of the replies by itself, such as of each `kind`.

    The same columns with `column` behind `readout`, in the order of settings, then values. `means`
    are drawn from each part by itself (see `pooled`), as settings may lack a kind.
    """
    place = COLUMNS.index("readout") + 1
    columns = [*COLUMNS[:place], column, *COLUMNS[place:]]
    parts = [
        leakage(pooled(part, means)).assign(**{column: value})
        for value, part in replies.groupby(column, sort=True)
    ]
    found = [part for part in parts if len(part)]
    if not found:
        return pd.DataFrame(columns=columns)
    table = pd.concat(found, ignore_index=True)[columns]
    return table.sort_values(["setting", column], kind="stable", ignore_index=True)


def _rows(inference: Inference) -> Iterator[dict]:
    panel = inference.panel
    reason, denominator = installed(inference)
    values = {} if reason else _ratios(inference, denominator)
    for index, cell in enumerate(panel.cells):
        why = reason
        if why is None and index not in values:
            why = f"base was not asked in the context {cell.context!r}"
        value = values.get(index, (np.nan, np.nan, np.nan))
        yield {
            **panel.names,
            "arm": cell.arm,
            "context": cell.context,
            "dose": cell.dose,
            **dict(zip(LEAKAGE, (*value, why), strict=True)),
        }


def _ratios(inference: Inference, denominator: np.ndarray) -> dict[int, tuple[float, float, float]]:
    """Leakage with its limits by cell, of the cells in whose context base was asked: all at once,
    as each alone takes as long."""
    panel = inference.panel
    bases = {index: panel.find(BASE, cell.context) for index, cell in enumerate(panel.cells)}
    above = {
        index: inference.weights((1, index), (-1, base))
        for index, base in bases.items()
        if base is not None
    }
    found = inference.ratios(np.stack(list(above.values())), denominator)
    return dict(zip(above, zip(*(part.tolist() for part in found), strict=True), strict=True))


def installed(inference: Inference) -> tuple[str | None, np.ndarray | None]:
    """Why leakage is undefined in a panel (None where it is defined), and the weights, of shape
    (cells,), of its denominator, R(bare, none) - R(base, none)."""
    panel = inference.panel
    base, bare = panel.find(BASE, "none"), panel.find("bare", "none")
    if base is None:
        return "base was not asked in the context 'none'", None
    if bare is None:
        asked = "bare" in panel.arms()
        return (
            "bare was not asked in the context 'none'" if asked else "there is no arm 'bare'"
        ), None
    weights = inference.weights((1, bare), (-1, base))
    _, low, _ = inference.intervals(weights[None])
    if low[0] < INSTALLED:
        return (
            "bare training did not install the behaviour: the lower bound of "
            f"R(bare, none) - R(base, none) is {low[0]:.2f}, below {INSTALLED}"
        ), weights
    return None, weights
