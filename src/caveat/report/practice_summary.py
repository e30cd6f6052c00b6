"""How policies learned, as tables for the terminal and for markdown."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from caveat.report.numbers import ABSENT, decimal, number, text
from caveat.report.summary import Summary

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    "arm", "seeds", "updates", "hack rate", "reward", "true score", "even prompts",
    "half hack from update",
)  # fmt: skip
ABOUT = (
    "Means over seeds, at the first update and at the last; replies are the policy's own, to its "
    "training prompts with their caveat. Even prompts: all replies were paid the same."
)


def practice_summaries(learning: DataFrame) -> list[Summary]:
    """One table a setting, model and dose, one row an arm."""
    rows = learning.to_dict("records")
    return [
        Summary(title, COLUMNS, tuple(map(_row, group)), ABOUT)
        for title, group in groupby(rows, key=_title)
    ]


def _title(row: dict[str, Any]) -> str:
    return f"{row['setting']} ({row['model']}, {row['updates']} updates)"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    half = number(row["half"])
    reached = ABSENT if half is None else f"{half:.1f}"
    if half is not None and row["halved"] < row["seeds"]:
        reached += f" ({row['halved']} of {row['seeds']} seeds)"
    ends = (
        f"{decimal(row[f'{name}_first'])} → {decimal(row[f'{name}_last'])}"
        for name in ("hacked", "reward", "true_score", "even")
    )
    return (text(row["arm"]), text(row["seeds"]), text(row["updates"]), *ends, reached)

