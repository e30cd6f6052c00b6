"""Ladder tables and their wording.

A ladder in words: what a rung stands for, what a change came to.

A ladder for the terminal and for markdown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from caveat.analysis.ladder import Crossing, crossings
from caveat.report.formatting import ABSENT, Figure, figure, number, probability, survives, text
from caveat.report.tables.summary import OVER, Summary

if TYPE_CHECKING:
    from caveat.analysis.ladder import Ladder


Row = Mapping[str, Any]
UNDEFINED, CORRECTED_AWAY, NOTHING = "undefined", "not once corrected", "not distinguishable"


def factors_of(row: Row) -> dict[str, str]:
    """What a row of rungs stands for."""
    found: dict[str, str] = json.loads(row["factors"])
    return found


def in_words(factors: Mapping[str, str]) -> str:
    """Such as `form chat, content trait`."""
    return ", ".join(f"{name} {level}" for name, level in factors.items())


def since(row: Row, before: Row | None) -> str:
    """What a rung stands for: of the first its levels, of others what differs from the one before,
    each with the name of its factor. Settings of the same factors say `the same`."""
    mine = factors_of(row)
    if before is None:
        return ", ".join(mine.values())
    theirs = factors_of(before)
    told = {name: level for name, level in mine.items() if theirs.get(name) != level}
    return in_words(told) or "the same"


def since_each(rows: Sequence[Row]) -> list[str]:
    """The same for every rung, in their order."""
    before = [None, *rows][: len(rows)]
    return [since(row, earlier) for row, earlier in zip(rows, before, strict=True)]


def outcome(row: Row, name: str = "leakage_change") -> str:
    """One word for a change: whether it raises or lowers, once corrected for the number of rows."""
    change = figure(row, name)
    if change.value is None:
        return UNDEFINED
    if (change.low or 0.0) <= 0 <= (change.high or 0.0):
        return NOTHING
    if not survives(row[f"{name}_p_holm"]):
        return CORRECTED_AWAY
    return "raises" if change.value > 0 else "lowers"


def told(row: Row, name: str = "leakage_change") -> bool:
    """Whether a change is distinguishable once corrected."""
    return outcome(row, name) in ("raises", "lowers")


def leaked(row: Row) -> str:
    """The leakage of a rung."""
    return UNDEFINED if text(row["undefined"]) else str(figure(row, "leakage"))


def by_size(rows: Sequence[Row], most: int | None) -> list[Row]:
    """The rows in their order; with `most`, only so many: those whose p-value is smallest."""
    if most is None or len(rows) <= most:
        return list(rows)
    order = sorted(range(len(rows)), key=lambda place: _p(rows[place]))
    return [rows[place] for place in sorted(order[:most])]


def _p(row: Row) -> float:
    p = number(row["leakage_change_p"])
    return 2.0 if p is None else p


def from_to(row: Row, side: str = "") -> str:
    """Such as `form: document → chat`; `side` is `first_` or `second_` of an interaction."""
    return f"{row[f'{side}factor']}: {row[f'{side}start']} → {row[f'{side}end']}"


def lead(effects: Sequence[Row]) -> str:
    """What the factors do, in a sentence; "" where there are no steps."""
    if not effects:
        return ""
    known = [row for row in effects if outcome(row) != UNDEFINED]
    moved = [row for row in known if told(row)]
    said = f"{len(moved)} of {len(effects)} changes of a factor change leakage distinguishably"
    said += " once corrected"
    if not moved:
        return f"{said}."
    most = max(moved, key=lambda row: abs(row["leakage_change"]))
    pairs = "one pair" if most["pairs"] == 1 else f"the mean of {most['pairs']:.0f} pairs"
    change = figure(most, "leakage_change")
    return f"{said}; the largest is {from_to(most)}, by {change} ({pairs})."


def reasons(rows: Sequence[Row]) -> list[str]:
    """Why figures are undefined, each once."""
    return list(dict.fromkeys(text(row["undefined"]) for row in rows if text(row["undefined"])))


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


def _changes(title: str, last: str, rows: Sequence[Row], most: int | None, note: str) -> Summary:
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
    return Summary("Leakage against elicitation", DIAL, made, "\n".join([ABOUT_DIAL, *told]))


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
