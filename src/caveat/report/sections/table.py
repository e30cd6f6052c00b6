"""The table of the HTML report: cells of text or estimates, which may have a colour and a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from caveat.report.formatting import Estimate
from caveat.report.tables.summary import Summary

SIGNED, SHARE = (-1.0, 1.0), (0.0, 1.0)
"""Axes on which intervals are shown: of differences, and of rates."""


@dataclass(frozen=True)
class Cell:
    """One cell: text, or an estimate with its interval."""

    text: str = ""
    note: str = ""
    """Small text after or under the cell's own."""
    estimate: Estimate | None = None
    span: tuple[float, float] | None = None
    """The axis on which the interval is shown; None for no axis."""
    below: Estimate | None = None
    """A second estimate, under the first."""
    quiet: bool = False
    """Whether it is shown in muted colour."""
    kind: str = ""
    """How a cell of a grid is coloured: "", `lower`, `raise`, `undefined` or `absent`."""
    heat: float | None = None
    """How strong the colour is, in per cent; None for no colour."""
    mark: str = ""
    """A sign that stands beside the estimate."""
    mark_label: str = ""
    """What the sign means, for screen readers."""
    hover: str = ""
    """Text that is shown when the pointer rests on the cell."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Values of the columns by which the answers are filtered that a click shows; no link without
    any."""

    @property
    def positions(self) -> dict[str, str] | None:
        """Where value, interval and zero lie on the axis, in per cent; None without an axis."""
        estimate = self.estimate
        if self.span is None or estimate is None:
            return None
        if estimate.value is None or estimate.low is None or estimate.high is None:
            return None
        low, high = self.span

        def position(value: float) -> str:
            return f"{100 * (min(max(value, low), high) - low) / (high - low):.1f}%"

        return {
            "low": position(estimate.low),
            "high": position(estimate.high),
            "at": position(estimate.value),
            "zero": position(0.0),
        }


@dataclass(frozen=True)
class Table:
    """Headings and rows; laid out by the macro `table`."""

    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    """What a reader has to know, line by line."""
    groups: tuple[tuple[str, int], ...] = ()
    """Headings over several columns, from the second on, with the number of columns."""
    layout: str = "plain"
    """CSS classes: `plain` has lines; `grid` has coloured cells and names its rows by their first
    cell."""

    @classmethod
    def of(cls, columns: Sequence[str], rows: Any, **fields: Any) -> Table:
        """A table with headings of text. Cells of `rows` that are strings become cells."""
        return cls(_cells(columns), tuple(map(_cells, rows)), **fields)

    @classmethod
    def of_summary(cls, summary: Summary) -> Table:
        """A terminal table as it is."""
        notes = tuple(summary.note.splitlines())
        return cls.of(summary.columns, summary.rows, title=summary.title, notes=notes)

    @cached_property
    def has_axis(self) -> bool:
        """Whether any interval is on an axis, so that cells without one leave the space blank."""
        return any(cell.positions for row in self.rows for cell in row)


def _cells(row: Sequence[str | Cell]) -> tuple[Cell, ...]:
    return tuple(Cell(cell) if isinstance(cell, str) else cell for cell in row)
