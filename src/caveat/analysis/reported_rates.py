"""Leakage from rates that others reported, each with its limits, where their replies are not there.

Arms count as independent. A difference's limits are by the MOVER of Zou and Donner (2008): each
rate adds the square of how far its own limit lies from it. Leakage is `a / b` with a and b
differences that share base, so its limits are the x at which the interval of
`R(arm, c) - R(base, c) - x (R(bare, none) - R(base, none))` just reaches 0 (Fieller 1954; Donner
and Zou 2012). Nothing is clipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from caveat.analysis.caveat_checks import COLUMNS as CHECK_COLUMNS
from caveat.analysis.differences import COLUMNS as DIFFERENCE_COLUMNS
from caveat.analysis.differences import FAMILY, arm_pairs, holm
from caveat.analysis.intervals import ALPHA, UNKNOWN, Interval
from caveat.analysis.leakage import INSTALLED, LEAKAGE_COLUMNS, no_answers, with_reasons
from caveat.analysis.panel import BASE, PANEL_COLUMNS
from caveat.analysis.rates import RATE_COLUMNS

Terms = Mapping[tuple[str, str], float]
"""Weights of rates, by arm and context."""
INTERVAL = "as reported"
"""What an interval is over: whatever the source's limits are over."""
FARTHEST = 1000.0
"""A limit that is farther from the value is given as this far from it."""


def wilson(rate: np.ndarray, replies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's (1927) 95% limits of shares of independent replies, all of shape (k,)."""
    from scipy.special import ndtri

    ratio = ndtri(1 - ALPHA / 2) ** 2 / replies
    centre = (rate + ratio / 2) / (1 + ratio)
    half = np.sqrt(ratio * rate * (1 - rate) + ratio**2 / 4) / (1 + ratio)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


class _Panel:
    """The rates of one setting, model, readout and scope, with their limits."""

    def __init__(self, names: dict[str, str], rows: pd.DataFrame) -> None:
        self.names = names
        self.cells = {
            (row["arm"], row["context"]): (row["rate"], row["low"], row["high"])
            for row in rows.to_dict("records")
        }

    def arms(self) -> list[str]:
        """Names of the trained arms, sorted."""
        return sorted({arm for arm, _ in self.cells} - {BASE})

    def has(self, *cells: tuple[str, str]) -> bool:
        return all(cell in self.cells for cell in cells)

    def value(self, terms: Terms) -> float:
        """The combination of rates, without float dust."""
        return round(sum(weight * self.cells[cell][0] for cell, weight in terms.items()), 12)

    def interval(self, terms: Terms, wider: float = 1.0) -> Interval:
        """The value and its limits, `wider` times as far away as the 95% ones."""
        value, below, above = self.value(terms), 0.0, 0.0
        for cell, weight in terms.items():
            rate, low, high = self.cells[cell]
            down, up = (rate - low, high - rate) if weight > 0 else (high - rate, rate - low)
            below += (weight * down) ** 2
            above += (weight * up) ** 2
        return value, value - wider * below**0.5, value + wider * above**0.5

    def ratio(self, above: Terms, below: Terms) -> Interval:
        """The value of a ratio of combinations and its limits, NaN where a rate has none."""
        value = self.value(above) / self.value(below)
        if not all(map(math.isfinite, (*self.interval(above), *self.interval(below)))):
            return value, math.nan, math.nan
        return value, self._limit(above, below, value, -1), self._limit(above, below, value, 1)

    def _limit(self, above: Terms, below: Terms, value: float, side: int) -> float:
        inside, outside = 0.0, FARTHEST
        for _ in range(60):
            middle = (inside + outside) / 2
            tried = value + side * middle
            terms = {
                cell: above.get(cell, 0.0) - tried * below.get(cell, 0.0)
                for cell in {**above, **below}
            }
            _, low, high = self.interval(terms)
            if low <= 0 <= high:
                inside = middle
            else:
                outside = middle
        return value if outside < 1e-9 else value + side * (inside + outside) / 2

    def p_value(self, terms: Terms) -> float:
        """Two-sided: the level at which the interval, widened as a normal one, reaches 0."""
        from scipy.special import ndtr, ndtri

        value, low, high = self.interval(terms)
        reach = value - low if value > 0 else high - value
        if value == 0:
            return 1.0
        return float(2 * ndtr(-abs(value) / reach * ndtri(1 - ALPHA / 2))) if reach else 0.0


def _panels(reported: pd.DataFrame) -> Iterator[_Panel]:
    for names, rows in reported.groupby(PANEL_COLUMNS, sort=False, dropna=False):
        yield _Panel(dict(zip(PANEL_COLUMNS, map(str, names), strict=True)), rows)


INSTALLS: Terms = {("bare", "none"): 1.0, (BASE, "none"): -1.0}


def _undefined(panel: _Panel) -> str | None:
    """Why the panel has no leakage, None where it has."""
    for arm in (BASE, "bare"):
        if not panel.has((arm, "none")):
            there = arm in panel.arms() or any(name == arm for name, _ in panel.cells)
            return no_answers(arm, "none") if there or arm == BASE else f"there is no arm {arm!r}"
    value, low, _ = panel.interval(INSTALLS)
    bound, name = (value, "") if math.isnan(low) else (low, "the lower bound of ")
    if bound < INSTALLED:
        return (
            f"bare training did not install the behaviour: {name}"
            f"R(bare, none) - R(base, none) is {bound:.2f}, below {INSTALLED}"
        )
    return None


def reported_rates(reported: pd.DataFrame) -> pd.DataFrame:
    """The rates with the columns of `rates`; shares of valid and truncated replies are not known.

    Args:
        reported: One row a rate: the columns of a panel, arm, context, rate in [0, 1], low, high
            and replies, 0 where that was not reported.
    """
    table = reported.rename(columns={"rate": "value"}).assign(
        dose="{}", valid=np.nan, truncated=np.nan, valid_rate=np.nan, questions=0, clusters=0,
        seeds=0, interval=INTERVAL,
    )  # fmt: skip
    return table[RATE_COLUMNS].reset_index(drop=True)


def reported_leakage(reported: pd.DataFrame) -> pd.DataFrame:
    """The rates with leakage: the columns of `leakage`, None in `undefined` where it is defined."""
    rates = {"value": "rate", "low": "rate_low", "high": "rate_high"}
    table = reported_rates(reported).rename(columns=rates)
    values: dict[tuple[str, ...], tuple[Any, ...]] = {}
    for panel in _panels(reported):
        reason = _undefined(panel)
        for arm, context in panel.cells:
            undefined, interval = reason, UNKNOWN
            if reason is None and not panel.has((BASE, context)):
                undefined = no_answers(BASE, context)
            elif reason is None:
                above = {} if arm == BASE else {(arm, context): 1.0, (BASE, context): -1.0}
                interval = panel.ratio(above, INSTALLS) if above else (0.0, 0.0, 0.0)
                if (arm, context) == ("bare", "none"):
                    interval = (1.0, 1.0, 1.0)
            values[*panel.names.values(), arm, context] = (*interval, undefined)
    keys = table[[*PANEL_COLUMNS, "arm", "context"]].astype(str).itertuples(index=False, name=None)
    columns = list(zip(*(values[key] for key in keys), strict=True))
    names = ("leakage", "leakage_low", "leakage_high", "undefined")
    table = table.assign(**dict(zip(names, map(list, columns), strict=True)))
    return with_reasons(table[LEAKAGE_COLUMNS])


def reported_differences(reported: pd.DataFrame) -> pd.DataFrame:
    """Differences of rates at `none`, with the columns of `differences`.

    p-values take the limits as those of a normal distribution on the side of 0.
    """
    rows = []
    for panel in _panels(reported):
        for arm, against in arm_pairs(panel.arms()):
            if not panel.has((arm, "none"), (against, "none")):
                continue
            terms = {(arm, "none"): 1.0, (against, "none"): -1.0}
            value, low, high = panel.interval(terms)
            rows.append({
                **panel.names, "dose": "{}", "difference": f"{arm} - {against}", "arm": arm,
                "against": against, "context": "none", "value": value, "low": low, "high": high,
                "p": panel.p_value(terms), "distinguishable": not low <= 0 <= high,
                "interval": INTERVAL,
            })  # fmt: skip
    if not rows:
        return pd.DataFrame(columns=DIFFERENCE_COLUMNS)
    table = pd.DataFrame(rows)
    corrected = table.groupby(FAMILY, dropna=False)["p"].transform(holm)
    return table.assign(p_holm=corrected).reindex(columns=DIFFERENCE_COLUMNS)


def reported_checks(reported: pd.DataFrame) -> pd.DataFrame:
    """Elicitation and k, with the columns of `caveat_checks`."""
    rows = []
    for panel in _panels(reported):
        if not panel.has((BASE, "none"), (BASE, "exact")):
            continue
        row = {**panel.names, "dose": "{}", "expected": "", "note": ""}
        terms = {(BASE, "exact"): 1.0, (BASE, "none"): -1.0}
        rows.append({**row, "check": "elicitation", "arm": BASE, **_limits(panel.interval(terms))})
        if not panel.has(("bare", "none")):
            continue
        left = {("bare", "none"): 1.0, (BASE, "exact"): -1.0}
        note = _no_k(panel.value(terms), panel.interval(left)[1])
        for arm in panel.arms():
            if arm.partition("+")[0] == "marked" and panel.has((arm, "none")):
                above = {(arm, "none"): 1.0, (BASE, "none"): -1.0}
                interval = UNKNOWN if note else panel.ratio(above, left)
                rows.append({**row, "check": "k", "arm": arm, "note": note, **_limits(interval)})
    return pd.DataFrame(rows, columns=CHECK_COLUMNS)


def _no_k(elicitation: float, low: float) -> str:
    """Why there is no k, "" where there is one: the rules of `caveat_checks`."""
    if elicitation <= 0:
        return f"undefined: elicitation is {elicitation:.2f}, not above 0"
    if low < INSTALLED:
        return (
            "undefined: the lower bound of R(bare, none) - R(base, exact) is "
            f"{low:.2f}, below {INSTALLED}"
        )
    return ""


def _limits(interval: Interval) -> dict[str, float]:
    return dict(zip(("value", "low", "high"), map(float, interval), strict=True))
