"""Rates of one's own, or of another source, in the form of published results."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from caveat.analysis.reported_rates import reported_leakage
from caveat.importers.options import TableOptions
from caveat.importers.rates import read
from caveat.published.results import Result

GROUP = ["setting", "phenomenon", "behaviour", "caveat", "model", "readout", "scope"]
NOT_GIVEN = "phenomenon not given"


def added(path: Path, options: TableOptions) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    """The rates of a file as results, one a marked arm, and what readers should know of them.

    The file is as of `caveat import rates`; rates may lack limits. Raises CaveatError for a file
    or a row that cannot be used.
    """
    reported = read([path], None, options, need_limits=False)
    leakage = reported_leakage(reported.rates)
    leakage = leakage[(leakage["context"] == "none")].set_index([*GROUP, "arm"])
    results = []
    for names, rows in reported.rates.groupby(GROUP, sort=False, dropna=False):
        rates = {(row["arm"], row["context"]): row for row in rows.to_dict("records")}
        arms = [arm for arm in dict.fromkeys(rows["arm"]) if arm.partition("+")[0] == "marked"]
        for arm in arms or ["marked"]:
            limits = leakage.loc[(*names, arm)] if (*names, arm) in leakage.index else None
            results.append(_result(dict(zip(GROUP, names, strict=True)), arm, rates, limits, path))
    return tuple(results), reported.notes


def _result(
    names: dict[str, str], arm: str, rates: dict[tuple[str, str], dict[str, Any]],
    limits: pd.Series | None, path: Path,
) -> Result:  # fmt: skip
    def rate(arm: str, context: str) -> float | None:
        row = rates.get((arm, context))
        return None if row is None else float(row["rate"])

    rows = [row["where"].rpartition(", ")[2] for row in rates.values()]
    plain, elicited = rate("base", "none"), rate("base", "exact")
    difference = None if plain is None or elicited is None else elicited - plain
    replies = {int(row["replies"]) for row in rates.values()} - {0}
    return Result(
        phenomenon=names["phenomenon"] or NOT_GIVEN,
        setting=names["setting"],
        model=names["model"],
        training="not given",
        caveat=names["caveat"] or "caveat",
        intervention=arm.partition("+")[2],
        elicitation=None if difference is None else (difference, difference),
        metric=names["readout"],
        base=plain,
        bare=rate("bare", "none"),
        marked=rate(arm, "none"),
        clean=rate("clean", "none"),
        exact=rate(arm, "exact"),
        near_miss=rate(arm, "near_miss"),
        near_miss_kind="near miss" if rate(arm, "near_miss") is not None else "",
        replies=min(replies) if replies else None,
        source=path.name,
        locator=rows[0] if len(set(rows)) == 1 else f"{rows[0]} to {rows[-1]}",
        evidence="own",
        interval=_interval(limits),
    )


def _interval(limits: pd.Series | None) -> tuple[float, float] | None:
    if limits is None:
        return None
    low, high = float(limits["leakage_low"]), float(limits["leakage_high"])
    return None if math.isnan(low) or math.isnan(high) else (low, high)
