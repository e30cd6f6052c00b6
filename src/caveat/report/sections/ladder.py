"""The report's section on the ladder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caveat.analysis.ladder import Crossing, Ladder, crossings
from caveat.report.data import ReportData
from caveat.report.formatting import Figure, figure, number, probability, text
from caveat.report.tables.ladder import (
    ABOUT_DIAL,
    ABOUT_STEPS,
    DIAL,
    UNDEFINED,
    Row,
    dialled,
    from_to,
    in_words,
    lead,
    missing,
    outcome,
    since_each,
    told,
)
from caveat.report.tables.setting import SIGNED, Entry, Table

RUNGS = (
    "rung", "stands for", "setting", "model", "base", "bare - base", "marked - base", "leakage",
    "elicitation", "comprehension", "wanted", "shown bare", "k", "marked at exact", "note",
)  # fmt: skip
CHANGED = (
    "change of leakage", "p", "p, Holm", "", "change of rate above base", "p", "p, Holm", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """One setting of a crossing, by its leakage."""

    rung: Row
    hover: str

    @property
    def leakage(self) -> Figure:
        """Of marked."""
        return figure(self.rung, "leakage")

    @property
    def heat(self) -> float:
        """How strong the cell's colour is, in per cent."""
        return round(100 * min(max(self.leakage.value or 0.0, 0.0), 1.0), 1)


@dataclass(frozen=True)
class Crossed:
    """A crossing, ready to be laid out: rows of pairs, each with its repetitions."""

    title: str
    caveats: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[Pair, ...], ...]], ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class LadderSection:
    """What is shown of the ladder."""

    lead: str
    rungs: Table
    crossings: tuple[Crossed, ...]
    effects: Table
    steps: Table
    interactions: Table
    dial: Table
    not_dialled: tuple[str, ...]
    about_steps: str = ABOUT_STEPS
    about_dial: str = ABOUT_DIAL


def ladder_section(data: ReportData) -> LadderSection | None:
    """The section; None where fewer than two settings have factors, or none has replies."""
    ladder = data.ladder
    if ladder is None or ladder.rungs.empty:
        return None
    effects, steps, interactions, dial = (
        frame.to_dict("records")
        for frame in (ladder.effects, ladder.steps, ladder.interactions, ladder.dial)
    )
    return LadderSection(
        lead=lead(effects),
        rungs=_rungs(ladder),
        crossings=tuple(map(_crossed, crossings(ladder.rungs))),
        effects=_table(("change", "pairs"), effects, lambda row: (from_to(row), row["pairs"])),
        steps=_table(("change", "rungs", "drawn"), steps, _step),
        interactions=_table(("change", "rungs"), interactions, _interaction),
        dial=Table(DIAL, tuple(tuple(map(Entry, dialled(row))) for row in dial)),
        not_dialled=tuple(
            f"{row['name']}: {text(row['undefined'])}" for row in dial if text(row["undefined"])
        ),
    )


def _rungs(ladder: Ladder) -> Table:
    rows = ladder.rungs.to_dict("records")
    made = zip(rows, since_each(rows), strict=True)
    return Table(RUNGS, tuple(_rung(row, stands_for) for row, stands_for in made))


def _rung(row: Row, stands_for: str) -> tuple[Entry, ...]:
    figures = ("base", "installed", "leaks", "leakage", "elicitation", "comprehension")
    notes = [f"leakage: {text(row['undefined'])}" if text(row["undefined"]) else ""]
    notes += [f"k: {text(row['k_note'])}" if text(row["k_note"]) else ""]
    return (
        *map(Entry, (text(row["rung"]), stands_for, text(row["setting"]), text(row["model"]))),
        *(Entry(figure=figure(row, name)) for name in figures),
        Entry(text(row["wanted"])),
        *(Entry(figure=figure(row, name)) for name in ("shown_bare", "k", "at_caveat")),
        Entry("; ".join(filter(None, notes))),
    )


def _table(first: tuple[str, ...], rows: Sequence[Row], named) -> Table:
    """Changes with what names them in front."""
    made = tuple((*(Entry(text(each)) for each in named(row)), *_changed(row)) for row in rows)
    return Table((*first, *CHANGED), made)


def _step(row: Row) -> tuple[str, ...]:
    drawn = "together" if row["paired"] else "apart"
    return from_to(row), f"{row['first']} → {row['second']}", drawn


def _interaction(row: Row) -> tuple[str, ...]:
    other = f"{row['second_factor']}: {row['second_end']} less {row['second_start']}"
    return f"{from_to(row, 'first_')}, {other}", row["rungs"]


def _changed(row: Row) -> tuple[Entry, ...]:
    def of(name: str) -> tuple[Entry, ...]:
        quiet = outcome(row, name) != UNDEFINED and not told(row, name)
        return (
            Entry(figure=figure(row, name), span=SIGNED, quiet=quiet),
            Entry(probability(row[f"{name}_p"])),
            Entry(probability(row[f"{name}_p_holm"])),
        )

    said = Entry(outcome(row), quiet=not told(row))
    return (*of("leakage_change"), said, *of("rate_change"), Entry(text(row["undefined"])))


def _crossed(crossing: Crossing) -> Crossed:
    def pairs(behaviour: str) -> tuple[tuple[Pair, ...], ...]:
        return tuple(
            tuple(Pair(row, _hover(row)) for row in crossing.rungs.get((behaviour, caveat), ()))
            for caveat in crossing.caveats
        )

    return Crossed(
        in_words(crossing.others),
        crossing.caveats,
        tuple((behaviour, pairs(behaviour)) for behaviour in crossing.behaviours),
        tuple(missing(crossing)),
    )


def _hover(row: Row) -> str:
    said = [f"{row['setting']}, {row['model']}", f"leakage {figure(row, 'leakage')}"]
    names = {"leaks": "marked - base", "installed": "bare - base", "elicitation": "elicitation",
             "comprehension": "comprehension", "shown_bare": "shown bare",
             "at_caveat": "marked at exact"}  # fmt: skip
    said += [
        f"{called} {figure(row, name)}"
        for name, called in names.items()
        if number(row[name]) is not None
    ]
    return "\n".join([*said, text(row["undefined"])]).strip()
