"""A ladder for the terminal and for markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from caveat.measure.ladder import Crossing, crossings
from caveat.report.ladder_words import (
    Row,
    by_size,
    from_to,
    in_words,
    lead,
    leaked,
    outcome,
    since_each,
)
from caveat.report.matrix import figure
from caveat.report.numbers import ABSENT, Figure, probability, text
from caveat.report.summary import OVER, Summary

if TYPE_CHECKING:
    from caveat.measure.ladder import Ladder

SHORT = 12
"""Rows of a table of changes unless all are wanted."""
RUNGS = (
    "", "stands for", "setting", "bare - base", "leakage of marked", "elicitation",
    "comprehension", "shown bare", "k", "marked at exact",
)  # fmt: skip
CHANGED = ("change of leakage", "p, Holm", "", "change of rate above base", "p, Holm")
DIAL = (
    "", "rungs", "correlation", "with other rungs", "slope", "with other rungs", "p", "k",
    "range of k", "p of equal k",
)  # fmt: skip
ABOUT_STEPS = (
    "Changes go from the level that the recipe names first to the later one. Settings of one "
    "behaviour are drawn together, others count as independent."
)
ABOUT_DIAL = (
    "Spearman's correlation and the slope of leakage on elicitation over rungs. Intervals: other "
    "seeds and questions (they lean towards 0), then other rungs. k: mean and range over rungs, "
    "and Cochran's test of their being equal."
)


def ladder_summaries(ladder: Ladder, whole: bool = False) -> list[Summary]:
    """Rungs, crossings, steps, effects, interactions and the dial, as far as there are any; of the
    changes the `SHORT` surest ones, unless the `whole` is wanted."""
    most = None if whole else SHORT
    steps, effects, interactions = (
        frame.to_dict("records") for frame in (ladder.steps, ladder.effects, ladder.interactions)
    )
    made = [
        _rungs(ladder.rungs.to_dict("records")),
        *map(_crossing, crossings(ladder.rungs)),
        _changes("What a factor changes, in the mean", "pairs", effects, most, lead(effects)),
        _changes("From rung to rung", "rungs", steps, most, ABOUT_STEPS),
        _interactions(interactions, most),
        _dial(ladder.dial.to_dict("records")),
    ]
    return [each for each in made if each.rows]


def _rungs(rows: Sequence[Row]) -> Summary:
    figures = ("elicitation", "comprehension", "shown_bare", "k", "at_caveat")
    made = tuple(
        (
            text(row["rung"]),
            stands_for,
            text(row["setting"]),
            str(figure(row, "installed")),
            leaked(row),
            *(str(figure(row, name)) for name in figures),
        )
        for row, stands_for in zip(rows, since_each(rows), strict=True)
    )
    return Summary("Rungs", RUNGS, made, _rungs_note(rows))


def _rungs_note(rows: Sequence[Row]) -> str:
    kinds = {text(row["interval"]) for row in rows} - {""}
    over = OVER.get("within seed" if "within seed" in kinds else next(iter(kinds), ""), "")
    reasons = [
        f"Rung {row['rung']}: leakage is undefined: {text(row['undefined'])}."
        for row in rows
        if text(row["undefined"])
    ]
    said = "Of each rung, what differs from the one above."
    return "\n".join([f"{said} {over}".strip(), *reasons])


def _crossing(crossing: Crossing) -> Summary:
    title = in_words(crossing.others)
    rows = tuple(
        (behaviour, *(crossed(crossing, behaviour, caveat) for caveat in crossing.caveats))
        for behaviour in crossing.behaviours
    )
    return Summary(
        f"Leakage by behaviour and caveat{f' ({title})' if title else ''}",
        ("", *crossing.caveats),
        rows,
        "\n".join(missing(crossing)),
    )


def crossed(crossing: Crossing, behaviour: str, caveat: str) -> str:
    """The leakage of a pair; repetitions one after the other."""
    rungs = crossing.rungs.get((behaviour, caveat), ())
    return "; ".join(map(leaked, rungs)) or ABSENT


def missing(crossing: Crossing) -> list[str]:
    """A line a pair that was not run."""
    return [
        f"No replies for the behaviour {behaviour} under the caveat {caveat}."
        for behaviour, caveat in crossing.missing
    ]


def _changes(
    title: str, last: str, rows: Sequence[Row], most: int | None, note: str
) -> Summary:
    shown = by_size(rows, most)
    made = tuple((from_to(row), _counted(row), *_changed(row)) for row in shown)
    return Summary(title, ("", last, *CHANGED), made, _with_left_out(note, rows, shown))


def _counted(row: Row) -> str:
    return text(row["pairs"]) if "pairs" in row else f"{row['first']} → {row['second']}"


def _changed(row: Row) -> tuple[str, ...]:
    return (
        str(figure(row, "leakage_change")),
        probability(row["leakage_change_p_holm"]),
        outcome(row),
        str(figure(row, "rate_change")),
        probability(row["rate_change_p_holm"]),
    )


def _interactions(rows: Sequence[Row], most: int | None) -> Summary:
    shown = by_size(rows, most)
    made = tuple(
        (
            f"{from_to(row, 'first_')}, {row['second_factor']}: {row['second_end']} "
            f"less {row['second_start']}",
            text(row["rungs"]),
            *_changed(row),
        )
        for row in shown
    )
    note = "How much more a factor changes at one level of another factor than at another level."
    return Summary(
        "What a factor changes depending on another", ("", "rungs", *CHANGED), made,
        _with_left_out(note, rows, shown),
    )  # fmt: skip


def _with_left_out(note: str, rows: Sequence[Row], shown: Sequence[Row]) -> str:
    left = len(rows) - len(shown)
    return note if not left else f"{note}\n{left} more with larger p-values: --all shows them."


def _dial(rows: Sequence[Row]) -> Summary:
    made = tuple(map(dialled, rows))
    told = [f"{row['name']}: {row['undefined']}." for row in rows if text(row["undefined"])]
    return Summary(
        "Leakage against elicitation", DIAL, made, "\n".join([ABOUT_DIAL, *told])
    )


def dialled(row: Row) -> tuple[str, ...]:
    """A row of the dial, with the columns `DIAL`."""
    over = (
        Figure.of(row[name], row[f"{name}_low_rungs"], row[f"{name}_high_rungs"]).interval
        for name in ("correlation", "slope")
    )
    k = [Figure.of(row[name], None, None) for name in ("k_mean", "k_least", "k_most")]
    return (
        text(row["name"]),
        text(row["rungs"]),
        str(figure(row, "correlation")),
        next(over) or ABSENT,
        str(figure(row, "slope")),
        next(over) or ABSENT,
        probability(row["p"]),
        str(k[0]),
        ABSENT if k[0].value is None else f"{k[1]} to {k[2]}",
        probability(row["q_p"]),
    )
