"""Tables for the terminal and for markdown, and the study's main one: rates and leakage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveat.report.panels import Panel, panels

if TYPE_CHECKING:
    from pandas import DataFrame


INTERVALS = {"within seed": "Intervals are within seed.", "seeds": "Intervals are over seeds."}


@dataclass(frozen=True)
class Summary:
    """A table of text with a title and a note, for the terminal, markdown and HTML alike."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    """What a reader has to know, in lines; such as why leakage is undefined."""
    words: frozenset[str] = frozenset()
    """Columns that hold words, besides the first: they are aligned to the left and wrapped."""


def leakage_summaries(leakage: DataFrame) -> list[Summary]:
    """One table a panel: rates by arm and context, and leakage at `none`, graded leakage beside it
    where decision tokens were scored."""
    return [_leakage_summary(panel) for panel in panels(leakage)]


def markdown(tables: Iterable[Summary]) -> str:
    """Tables one after the other."""
    return "\n".join(_markdown(summary) for summary in tables)


def _leakage_summary(panel: Panel) -> Summary:
    contexts = panel.contexts
    recites = panel.recites
    columns = ("arm", *(f"rate at {context}" for context in contexts), "leakage at none")
    columns += ("graded leakage",) if panel.is_graded else ()
    rows = tuple(
        (
            arm,
            *(str(panel.rate(arm, context)) for context in contexts),
            _leakage(panel, arm),
            *((_graded(panel, arm),) if panel.is_graded else ()),
            *([str(panel.recitation(arm))] if recites else []),
        )
        for arm in panel.arms
    )
    columns = (*columns, "recitation at none") if recites else columns
    return Summary(panel.title, columns, rows, _note(panel))


def _leakage(panel: Panel, arm: str) -> str:
    return "undefined" if panel.undefined else str(panel.leakage(arm, "none"))


def _graded(panel: Panel, arm: str) -> str:
    return "undefined" if panel.graded_undefined else str(panel.graded(arm, "none"))


def _note(panel: Panel) -> str:
    reason = f"Leakage is undefined: {panel.undefined}. " if panel.undefined else ""
    if panel.is_graded and panel.graded_undefined:
        reason += f"Graded leakage is undefined: {panel.graded_undefined}. "
    return (reason + INTERVALS.get(panel.interval, "")).strip()


def _markdown(summary: Summary) -> str:
    lines = [
        f"**{summary.title}**",
        "",
        _line(summary.columns),
        _line(["---"] * len(summary.columns)),
        *map(_line, summary.rows),
    ]
    note = summary.note.replace("\n", "\n\n")
    return "\n".join([*lines, "", *([note, ""] if note else [])])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
