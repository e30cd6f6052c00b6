"""How figures are written: one place, so that every table says a number in the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "–"


def number(value: Any) -> float | None:
    """`value` as a float, or None for None, NaN, infinity, `<NA>` and what is no number."""
    try:
        figure = float(value)
    except (TypeError, ValueError):
        return None
    return figure if math.isfinite(figure) else None


def text(value: Any) -> str:
    """`value` as a string, "" for None, NaN and `<NA>`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    written = str(value)
    return "" if written in ("<NA>", "NaT") else written


def is_true(value: Any) -> bool:
    """Whether `value` is True, numpy's included; missing values are not."""
    return text(value) in ("True", "1")


def survives(p_holm: Any) -> bool:
    """Whether a corrected p-value is at most 0.05, the level of the 95% intervals; a missing one is
    no reason to doubt."""
    figure = number(p_holm)
    return figure is None or figure <= 0.05


def decimal(value: Any, digits: int = 2) -> str:
    """`value` with `digits` decimals, never "-0.00"; a dash where it is missing."""
    figure = number(value)
    return ABSENT if figure is None else f"{round(figure, digits) + 0.0:.{digits}f}"


def count(value: Any) -> str:
    """A whole number with separators; a dash where it is missing."""
    figure = number(value)
    return ABSENT if figure is None else f"{figure:,.0f}"


def probability(value: Any) -> str:
    """A p-value with three decimals, "< 0.001" below that."""
    figure = number(value)
    if figure is not None and figure < 0.001:
        return "< 0.001"
    return decimal(value, 3)


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its interval; any of the three may be missing."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: Any, low: Any, high: Any) -> Figure:
        """A figure from whatever a frame holds."""
        return cls(number(value), number(low), number(high))

    @property
    def interval(self) -> str:
        """The interval as "[0.50, 0.90]", "" where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"[{decimal(self.low)}, {decimal(self.high)}]"

    def __str__(self) -> str:
        if self.value is None:
            return ABSENT
        return f"{decimal(self.value)} {self.interval}".strip()


def figure(row: Mapping[str, Any], name: str) -> Figure:
    """A figure of a row with its limits."""
    return Figure.of(row[name], row[f"{name}_low"], row[f"{name}_high"])
