"""Means, differences and ratios of a check's measurements, with the intervals of studies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from caveat.check.records import Interval


class Measurement(NamedTuple):
    """One number measured of one cluster."""

    arm: str
    context: str
    seed: int | None
    """None of the base model."""
    cluster: str
    value: float


class Measured:
    """Measurements of the same clusters in several cells: an arm in a context each."""

    def __init__(self, measurements: Iterable[Measurement], bounded: bool) -> None:
        """`bounded`: whether values are shares in [0, 1]."""
        import pandas as pd

        from caveat.analysis.intervals import Estimates
        from caveat.analysis.panel import PANEL_COLUMNS, panels

        frame = pd.DataFrame(list(measurements), columns=list(Measurement._fields))
        frame = frame.assign(question=frame["cluster"], dose="", **dict.fromkeys(PANEL_COLUMNS, ""))
        (panel,) = panels(frame, frame["value"])
        self.estimates = Estimates.of(panel, bounded)

    def _cell(self, arm: str, context: str) -> int:
        index = self.estimates.panel.find(arm, context)
        assert index is not None, f"nothing was measured of {arm} in {context}"
        return index

    def mean(self, arm: str, context: str) -> Interval:
        """The mean of one cell."""
        index = self._cell(arm, context)
        low, high = (limits[index].item() for limits in self.estimates.rate_intervals())
        return _interval(self.estimates.panel.mean[index].item(), low, high, self._is_known)

    def difference(self, one: tuple[str, str], other: tuple[str, str]) -> Interval:
        """The mean of one cell less that of another."""
        weights = self.estimates.weights((1, self._cell(*one)), (-1, self._cell(*other)))
        return _interval(*self.estimates.interval(weights), self._is_known)

    def ratio(self, arm: str, over: str, against: str = "base", context: str = "none") -> Interval:
        """(arm - against) / (over - against), in one context."""
        zero = self._cell(against, context)
        above = self.estimates.weights((1, self._cell(arm, context)), (-1, zero))
        below = self.estimates.weights((1, self._cell(over, context)), (-1, zero))
        return _interval(*self.estimates.ratio(above, below), self._is_known)

    @property
    def _is_known(self) -> bool:
        return len(self.estimates.panel.clusters) > 1


def _interval(value: float, low: float, high: float, is_known: bool) -> Interval:
    """Limits that say nothing are None: those of a single cluster, and infinite ones."""
    if not is_known or not (math.isfinite(low) and math.isfinite(high)):
        return Interval(value)
    return Interval(value, low, high)
