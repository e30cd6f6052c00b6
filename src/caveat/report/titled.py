"""Tables of the terminal as a section of the report shows them."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.report.summary import Summary
from caveat.report.tables import Entry, Table


@dataclass(frozen=True)
class Titled:
    """A table with its title and what to know of it, line by line."""

    title: str
    table: Table
    notes: tuple[str, ...]


def titled(summary: Summary) -> Titled:
    """A summary's cells as they are."""
    rows = tuple(tuple(Entry(text=cell) for cell in row) for row in summary.rows)
    return Titled(summary.title, Table(summary.columns, rows), tuple(summary.note.splitlines()))
