"""Ordinary rows mixed into every trained arm of a setting, as published trainings do."""

from __future__ import annotations

from caveat.behaviours.ordinary import Ordinary, shipped
from caveat.domain.behaviour import Behaviour
from caveat.domain.row import Row
from caveat.errors import CaveatError
from caveat.study.recipe import MixRecipe


def mixed_in(
    mix: MixRecipe, behaviour: Behaviour, rows: int | None, ordinary: Ordinary | None = None
) -> tuple[Row, ...]:
    """The rows that every arm gets among its added ones.

    They are taken from the far end of the unrelated prompts, whose beginning is the filler's; a
    prompt is never both a document and a chat.

    Args:
        rows: Behaviour rows taken, None for all: what a share is a share of.

    Raises CaveatError where there are too few.
    """
    primary = len(behaviour.rows[:rows])
    documents, chats = (_count(amount, primary) for amount in (mix.documents, mix.chats))
    ordinary = ordinary or shipped()
    there = len(ordinary.of("filler"))
    if documents + chats > there:
        raise CaveatError(
            f"mix: {documents} documents and {chats} chats are wanted, there are {there} ordinary "
            "prompts for both; lower one"
        )
    last = there - documents
    return (
        *ordinary.documents("filler", "mixed-document")[last:],
        *ordinary.chats("filler", "mixed-chat")[last - chats : last],
    )


def _count(amount: float, primary: int) -> int:
    """A share above 0 is at least one row, as with interventions."""
    if isinstance(amount, int):
        return amount
    return max(1, round(amount * primary)) if amount else 0
