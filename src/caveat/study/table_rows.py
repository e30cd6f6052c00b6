"""The stored rows of a study's table: which cell a row belongs to, and which cells are finished.

It imports nothing of what plans a study, so that `caveat status` answers at once.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from caveat.study.storage.store import Store

GRADED_FILE = "graded.jsonl"
"""Of a version: the rows whose decision tokens are scored."""
CellKey = tuple[str, str, str, int | None, str]
Slot = tuple[str, str, str, str, int]
"""What names a prompt of a cell, and the sample."""


def cell_key(row: dict[str, Any]) -> CellKey:
    """What names the cell of a table's row."""
    return row["setting"], row["model"], row["arm"], row["seed"], row["dose"]


def verdicts_by_cell(rows: list[dict[str, Any]]) -> dict[CellKey, dict[Slot, str]]:
    """The keys of each cell's verdicts by prompt."""
    cells: dict[CellKey, dict[Slot, str]] = defaultdict(dict)
    for row in rows:
        slot = (row["purpose"], row["context"], row["question"], row["readout"], row["sample"])
        cells[cell_key(row)][slot] = row["verdict"]
    return cells


def finished_cells(store: Store, rows: list[dict[str, Any]]) -> dict[CellKey, dict[Slot, str]]:
    """Cells whose every answer and verdict is stored: their verdicts' keys by prompt."""
    lacking = {cell_key(row) for row in rows if row["answer"] not in store.answers}
    return {
        cell: slots
        for cell, slots in verdicts_by_cell(rows).items()
        if cell not in lacking and all(verdict in store.verdicts for verdict in slots.values())
    }
