"""How policies learned, as tables for the terminal and for markdown."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from caveat.report.numbers import ABSENT, decimal, number, text
from caveat.report.practice_titles import told_apart
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
    groups = [list(group) for _, group in groupby(rows, key=_key)]
    firsts = [group[0] for group in groups]
    return [
        Summary(_title(group[0], firsts), COLUMNS, tuple(map(_row, group)), ABOUT)
        for group in groups
    ]


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return row["setting"], row["model"], row["dose"]


def _title(row: dict[str, Any], others: list[dict[str, Any]]) -> str:
    """The setting and model, with what tells its dose from others of its name."""
    alike = [each["dose"] for each in others if each["setting"] == row["setting"]]
    told = told_apart(row["dose"], alike)
    said = ", ".join([row["model"], f"{row['updates']} updates", *told])
    return f"{row['setting']} ({said})"


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

