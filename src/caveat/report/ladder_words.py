"""A ladder in words: what a rung stands for, what a change came to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from caveat.report.matrix import figure
from caveat.report.numbers import number, survives, text

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
