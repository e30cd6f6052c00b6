"""Leakage: how much of what training installs without the caveat shows where it is absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from caveat.analysis.intervals import UNKNOWN, Estimates, Interval
from caveat.analysis.panel import BASE
from caveat.analysis.rates import (
    RATE_COLUMNS,
    RATE_KEY,
    estimates_by_panel,
    pooled,
    rates,
    verdicts,
)

INSTALLED = 0.1
"""The least that bare training must add to the rate at `none`, by the lower limit."""
LEAKAGE_METRIC = ["leakage", "leakage_low", "leakage_high", "undefined"]
LEAKAGE_COLUMNS = [
    *RATE_KEY, "rate", "rate_low", "rate_high", *LEAKAGE_METRIC,
    *RATE_COLUMNS[RATE_COLUMNS.index("valid"):],
]  # fmt: skip


def leakage(answers: pd.DataFrame) -> pd.DataFrame:
    """The rows of `rates` (as `rate`, `rate_low`, `rate_high`) with leakage: `LEAKAGE_COLUMNS`.

    `leakage = (R(arm, c) - R(base, c)) / (R(bare, none) - R(base, none))`, never clipped, with its
    95% interval; 0 for base by definition. Where it is not defined, it is NaN and `undefined` says
    why, else `undefined` is None: bare or base is missing, or the lower limit of the denominator
    is below `INSTALLED`. That is decided once for a setting, readout, scope and dose.
    """
    table = rates(answers).rename(columns={"value": "rate", "low": "rate_low", "high": "rate_high"})
    rows = [row for estimates in estimates_by_panel(verdicts(answers)) for row in _rows(estimates)]
    if not rows:
        return pd.DataFrame(columns=LEAKAGE_COLUMNS)
    ratios = pd.DataFrame(rows)
    # base is in the panel of every dose: keep a row with a value where there is one
    order = ratios["leakage"].isna().argsort(kind="stable")
    ratios = ratios.iloc[order].drop_duplicates(RATE_KEY)
    return with_reasons(table.merge(ratios, on=RATE_KEY, validate="1:1")[LEAKAGE_COLUMNS])


def leakage_by(
    answers: pd.DataFrame, column: str, means: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """The leakage of each value of a column of the answers by itself, such as of each `kind`.

    The same columns with `column` after `readout`, in the order of settings, then values. `means`
    are taken of each part by itself (see `pooled`), as settings may lack a kind.
    """
    position = LEAKAGE_COLUMNS.index("readout") + 1
    columns = [*LEAKAGE_COLUMNS[:position], column, *LEAKAGE_COLUMNS[position:]]
    tables = [
        leakage(pooled(part, means)).assign(**{column: value})
        for value, part in answers.groupby(column, sort=True)
    ]
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=columns)
    table = pd.concat(tables, ignore_index=True)[columns]
    return table.sort_values(["setting", column], kind="stable", ignore_index=True)


def with_reasons(table: pd.DataFrame) -> pd.DataFrame:
    """The table with None in the column `undefined` wherever there is no reason."""
    reasons = table["undefined"].astype(object)
    return table.assign(undefined=reasons.where(reasons.notna(), None))


def _rows(estimates: Estimates) -> Iterator[dict]:
    panel = estimates.panel
    reason, denominator = leakage_denominator(estimates)
    values = {} if reason else ratios_by_cell(estimates, denominator)
    for index, cell in enumerate(panel.cells):
        undefined = reason
        if undefined is None and index not in values:
            undefined = no_answers(BASE, cell.context)
        value = values.get(index, UNKNOWN)
        yield {
            **panel.names,
            "arm": cell.arm,
            "context": cell.context,
            "dose": cell.dose,
            **dict(zip(LEAKAGE_METRIC, (*value, undefined), strict=True)),
        }


def ratios_by_cell(estimates: Estimates, denominator: np.ndarray) -> dict[int, Interval]:
    """Leakage with its limits by cell, of the cells in whose context base has answers: all at once,
    as one cell takes as long as all."""
    panel = estimates.panel
    bases = {index: panel.find(BASE, cell.context) for index, cell in enumerate(panel.cells)}
    numerators = {
        index: estimates.weights((1, index), (-1, base))
        for index, base in bases.items()
        if base is not None
    }
    ratios = estimates.ratios(np.stack(list(numerators.values())), denominator)
    rows = zip(*(column.tolist() for column in ratios), strict=True)
    return dict(zip(numerators, rows, strict=True))


def leakage_denominator(
    estimates: Estimates, arm: str = "bare"
) -> tuple[str | None, np.ndarray | None]:
    """The denominator of leakage in a panel, R(bare, none) - R(base, none), by a bare arm's name.

    Returns why leakage is undefined, None where it is defined, and the weights of the difference,
    of shape (cells,), None where a cell is missing.
    """
    panel = estimates.panel
    base, bare = panel.find(BASE, "none"), panel.find(arm, "none")
    if base is None:
        return no_answers(BASE, "none"), None
    if bare is None:
        trained = arm in panel.arms()
        return no_answers(arm, "none") if trained else f"there is no arm {arm!r}", None
    weights = estimates.weights((1, bare), (-1, base))
    _, low, _ = estimates.interval(weights)
    if low < INSTALLED:
        return (
            f"{arm} training did not install the behaviour: the lower bound of "
            f"R({arm}, none) - R(base, none) is {low:.2f}, below {INSTALLED}"
        ), weights
    return None, weights


def no_answers(arm: str, context: str) -> str:
    """The reason for a missing value where an arm has no answers in a context."""
    return f"{arm} was not tested in the context {context!r}"
