"""The compact tables of a study for the terminal and for markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveat.report.panels import Panel, panels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pandas import DataFrame


OVER = {"within seed": "Intervals are within seed.", "seeds": "Intervals are over seeds."}


@dataclass(frozen=True)
class Summary:
    """Rates by arm and context, and the leakage at `none`, of one setting."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    """How the intervals were made, and why leakage is undefined where it is."""


def summaries(leakage: DataFrame) -> list[Summary]:
    """One table a panel (setting, and readout, scope, dose or model where they differ)."""
    return [_summary(panel) for panel in panels(leakage)]


def markdown(leakage: DataFrame) -> str:
    """The same tables as markdown."""
    return as_markdown(summaries(leakage))


def as_markdown(tables: Iterable[Summary]) -> str:
    """Tables one after the other."""
    return "\n".join(_markdown(summary) for summary in tables)


def _summary(panel: Panel) -> Summary:
    contexts = panel.contexts
    columns = ("arm", *(f"rate at {context}" for context in contexts), "leakage at none")
    rows = tuple(
        (arm, *(str(panel.rate(arm, context)) for context in contexts), _leakage(panel, arm))
        for arm in panel.arms
    )
    return Summary(panel.title, columns, rows, _note(panel))


def _leakage(panel: Panel, arm: str) -> str:
    return "undefined" if panel.undefined else str(panel.leakage(arm, "none"))


def _note(panel: Panel) -> str:
    said = f"Leakage is undefined: {panel.undefined}. " if panel.undefined else ""
    return (said + OVER.get(panel.interval, "")).strip()


def _markdown(summary: Summary) -> str:
    lines = [
        f"**{summary.title}**",
        "",
        _line(summary.columns),
        _line(["---"] * len(summary.columns)),
    ]
    lines += [_line(row) for row in summary.rows]
    note = summary.note.replace("\n", "\n\n")
    return "\n".join([*lines, "", *([note, ""] if note else [])])


def _line(cells) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
