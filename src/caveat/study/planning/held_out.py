"""Rows to ask a model about that no arm is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from caveat.caveats.insertion import framed_rows
from caveat.errors import CaveatError
from caveat.study.config.resolve import Resolved
from caveat.types.data import Row
from caveat.types.messages import without_caveat
from caveat.types.training import Plan, Train

Item = TypeVar("Item")
Shown = tuple[tuple[str, str], ...]
"""What a row shows without its caveat: (role, text) of each message."""


@dataclass(frozen=True)
class HeldOut:
    """Rows of the behaviour, and of the same kind without it; none has a caveat."""

    behaviour: tuple[Row, ...]
    counter: tuple[Row, ...]
    notes: tuple[str, ...]
    """What to know of them, such as that trained rows stand in."""


def held_out(resolved: Resolved, system: str | None, count: int) -> HeldOut:
    """At most `count` of each, spread over those that no plan of the setting trains on.

    Where a warm-up takes all that the arms leave, its rows are taken; where the arms leave none,
    theirs. A note says so.
    """
    if not resolved.setting.behaviour.counter_rows:
        raise CaveatError(
            f"{resolved.setting.name}: a forecast compares rows with counter rows, and "
            f"{resolved.setting.behaviour.name} has none; add counter_rows.jsonl"
        )
    behaviour, counter = (
        framed_rows(rows, system)
        for rows in (resolved.setting.behaviour.rows, resolved.setting.behaviour.counter_rows)
    )
    kinds, notes = [], []
    for rows, what in ((behaviour, "rows"), (counter, "counter rows")):
        left, note = left_over(resolved, rows)
        kinds.append(spread(left, count))
        if note:
            notes.append(f"preferences are computed on {what} {note}")
    return HeldOut(kinds[0], kinds[1], tuple(notes))


def spread(rows: Sequence[Item], count: int) -> tuple[Item, ...]:
    """`count` of the items, or all, at even distances."""
    wanted = min(count, len(rows))
    return tuple(rows[len(rows) * place // wanted] for place in range(wanted))


def left_over(
    resolved: Resolved, rows: tuple[Row, ...], fewest: int = 1
) -> tuple[tuple[Row, ...], str]:
    """The rows that no plan of the setting trains on, and "".

    Where these are fewer than `fewest`, those that no arm trains on, or all, and what they are.
    """
    base = _trained((resolved.base,))
    arms = _trained(plan[len(resolved.base) :] for plan in resolved.plans.values())
    choices: tuple[tuple[Callable[[Row], bool], str], ...] = (
        (lambda row: _shown(row) not in base | arms, ""),
        (lambda row: _shown(row) not in arms, "of the warm-up, as no others are left"),
    )
    for is_left, note in choices:
        left = tuple(row for row in rows if is_left(row))
        if len(left) >= fewest:
            return left, note
    return rows, "that arms are trained on, as no others are left"


def _trained(plans: Iterable[Plan]) -> set[Shown]:
    return {
        _shown(row)
        for plan in plans
        for stage in plan
        if isinstance(stage, Train)
        for row in (*stage.rows, *stage.added)
    }


def _shown(row: Row) -> Shown:
    return tuple((message.role, message.text) for message in without_caveat(row.messages))
