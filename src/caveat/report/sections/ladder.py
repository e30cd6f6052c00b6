"""The report's section on the ladder: settings that differ in one factor at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from caveat.analysis.ladder import FactorialGrid, Ladder, factorial_grids
from caveat.report.data import ReportData
from caveat.report.formatting import ABSENT, estimate, number, probability, text
from caveat.report.sections.table import SIGNED, Cell, Table
from caveat.report.tables.ladder import (
    ABOUT_ELICITATION,
    ABOUT_STEPS,
    ELICITATION,
    UNDEFINED,
    Row,
    elicitation_cells,
    from_to,
    in_words,
    is_distinguishable,
    labels,
    lead,
    missing,
    outcome,
)

SETTINGS = (
    "", "stands for", "setting", "model", "base", "bare - base", "marked - base", "leakage",
    "elicitation", "comprehension", "expected", "shown bare", "k", "marked at exact", "note",
)  # fmt: skip
CHANGED = (
    "change of leakage", "p", "p, Holm", "p, seeds", "", "change of rate above base", "p",
    "p, Holm", "p, seeds", "note",
)  # fmt: skip
HOVER = {
    "leaks": "marked - base", "installed": "bare - base", "elicitation": "elicitation",
    "comprehension": "comprehension", "shown_bare": "shown bare", "at_caveat": "marked at exact",
}  # fmt: skip
"""Values that are shown when the pointer rests on a cell of behaviours by caveats."""


@dataclass(frozen=True)
class LadderSection:
    """What is shown of the ladder."""

    lead: str
    settings: Table
    factorials: tuple[Table, ...]
    """Behaviours by caveats; the notes name the pairs that were not run."""
    effects: Table
    steps: Table
    interactions: Table
    elicitation: Table
    """Its notes say why a row has no correlation."""
    about_steps: str = ABOUT_STEPS
    about_elicitation: str = ABOUT_ELICITATION


def ladder_section(data: ReportData) -> LadderSection | None:
    """The section; None where fewer than two settings have factors, or none has answers."""
    ladder = data.ladder
    if ladder is None or ladder.settings.empty:
        return None
    effects, steps, interactions, elicitation = (
        frame.to_dict("records")
        for frame in (ladder.effects, ladder.steps, ladder.interactions, ladder.elicitation_curves)
    )
    reasons = [f"{row['name']}: {text(row['undefined'])}" for row in elicitation
               if text(row["undefined"])]  # fmt: skip
    return LadderSection(
        lead=lead(effects),
        settings=_settings(ladder),
        factorials=tuple(map(_factorial, factorial_grids(ladder.settings))),
        effects=_table(("change", "pairs"), effects, lambda row: (from_to(row), row["pairs"])),
        steps=_table(("change", "settings", "resampled"), steps, _step),
        interactions=_table(("change", "settings"), interactions, _interaction),
        elicitation=Table.of(
            ELICITATION, map(elicitation_cells, elicitation), notes=tuple(reasons)
        ),
    )


def _settings(ladder: Ladder) -> Table:
    rows = ladder.settings.to_dict("records")
    return Table.of(SETTINGS, map(_setting, rows, labels(rows)))


def _setting(row: Row, label: str) -> tuple[str | Cell, ...]:
    names = ("base", "installed", "leaks", "leakage", "elicitation", "comprehension")
    notes = [f"leakage: {text(row['undefined'])}" if text(row["undefined"]) else ""]
    notes += [f"k: {text(row['k_note'])}" if text(row["k_note"]) else ""]
    return (
        text(row["number"]),
        label,
        text(row["setting"]),
        text(row["model"]),
        *(Cell(estimate=estimate(row, name)) for name in names),
        text(row["expected"]),
        *(Cell(estimate=estimate(row, name)) for name in ("shown_bare", "k", "at_caveat")),
        "; ".join(filter(None, notes)),
    )


def _table(
    first: tuple[str, ...], rows: Sequence[Row], names: Callable[[Row], tuple[object, ...]]
) -> Table:
    """Changes, each after the cells that name it."""
    return Table.of((*first, *CHANGED), [(*map(text, names(row)), *_changed(row)) for row in rows])


def _step(row: Row) -> tuple[str, ...]:
    resampled = "together" if row["paired"] else "apart"
    return from_to(row), f"{row['first']} → {row['second']}", resampled


def _interaction(row: Row) -> tuple[str, ...]:
    other = f"{row['second_factor']}: {row['second_end']} less {row['second_start']}"
    return f"{from_to(row, 'first_')}, {other}", row["settings"]


def _changed(row: Row) -> tuple[str | Cell, ...]:
    def change(name: str) -> tuple[str | Cell, ...]:
        quiet = outcome(row, name) != UNDEFINED and not is_distinguishable(row, name)
        return (
            Cell(estimate=estimate(row, name), span=SIGNED, quiet=quiet),
            probability(row[f"{name}_p"]),
            probability(row[f"{name}_p_holm"]),
            probability(row[f"{name}_p_seeds"]),
        )

    word = Cell(outcome(row), quiet=not is_distinguishable(row))
    return (*change("leakage_change"), word, *change("rate_change"), text(row["undefined"]))


def _factorial(grid: FactorialGrid) -> Table:
    """Behaviours by caveats; a repetition of a pair has a row of its own."""
    rows: list[tuple[str | Cell, ...]] = []
    for behaviour in grid.behaviours:
        pairs = [grid.settings.get((behaviour, caveat), ()) for caveat in grid.caveats]
        for repetition in range(max(1, *map(len, pairs))):
            cells = [
                _pair(pair[repetition]) if repetition < len(pair) else _absent(behaviour, caveat)
                for caveat, pair in zip(grid.caveats, pairs, strict=True)
            ]
            rows.append((behaviour if repetition == 0 else "", *cells))
    return Table.of(
        ("behaviour", *grid.caveats), rows, title=in_words(grid.others),
        notes=tuple(missing(grid)), layout="grid transfer",
    )  # fmt: skip


def _absent(behaviour: str, caveat: str) -> Cell:
    return Cell(ABSENT, kind="absent", hover=f"{behaviour} under {caveat} was not run")


def _pair(row: Row) -> Cell:
    leakage = estimate(row, "leakage")
    lines = [f"{row['setting']}, {row['model']}", f"leakage {leakage}"]
    lines += [
        f"{called} {estimate(row, name)}"
        for name, called in HOVER.items()
        if number(row[name]) is not None
    ]
    return Cell(
        estimate=leakage,
        note="undefined" if leakage.value is None else "",
        kind="undefined" if leakage.value is None else "",
        heat=round(100 * min(max(leakage.value or 0.0, 0.0), 1.0), 1),
        hover="\n".join([*lines, text(row["undefined"])]).strip(),
        answers={
            **{name: text(row[name]) for name in ("setting", "model")},
            "arm": "marked",
            "context": "none",
            **{name: text(row[name]) for name in ("readout", "scope", "dose")},
        },
    )
