"""How numbers are written: one place, so that every table and sentence writes them alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "–"


def number(value: Any) -> float | None:
    """`value` as a float, or None for None, NaN, infinity, `<NA>` and what is no number."""
    try:
        converted = float(value)
    except (TypeError, ValueError):
        return None
    return converted if math.isfinite(converted) else None


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
    p = number(p_holm)
    return p is None or p <= 0.05


def decimal(value: Any, digits: int = 2) -> str:
    """`value` with `digits` decimals, never "-0.00"; a dash where it is missing."""
    converted = number(value)
    return ABSENT if converted is None else f"{round(converted, digits) + 0.0:.{digits}f}"


def count(value: Any) -> str:
    """A whole number with separators; a dash where it is missing."""
    converted = number(value)
    return ABSENT if converted is None else f"{converted:,.0f}"


def probability(value: Any) -> str:
    """A p-value with three decimals, "< 0.001" below that."""
    p = number(value)
    if p is not None and p < 0.001:
        return "< 0.001"
    return decimal(value, 3)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95% interval; any of the three may be missing."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, value: Any, low: Any = None, high: Any = None) -> Estimate:
        """An estimate from whatever a frame holds."""
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


def estimate(row: Mapping[str, Any], name: str) -> Estimate:
    """The value of a row's column `name` with the limits in `name_low` and `name_high`."""
    return Estimate.of(row[name], row[f"{name}_low"], row[f"{name}_high"])
