"""Ordinary rows mixed into every trained arm of a setting, as published trainings do.

Documents are the shipped plain ones; chats are drawn from the model of the study itself, once for
all arms of a seed, before anything is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

from caveat.behaviours.ordinary import shipped
from caveat.caveats.placement import framed
from caveat.domain.behaviour import Behaviour
from caveat.domain.plan import Detach, Plan, Sample
from caveat.domain.row import Row
from caveat.domain.text import Messages
from caveat.errors import CaveatError
from caveat.interventions.anchor import SAMPLING
from caveat.study.recipe import MixRecipe


@dataclass(frozen=True)
class Mixed:
    """What every trained arm of a setting gets beside its own rows."""

    documents: tuple[Row, ...]
    prompts: tuple[Messages, ...]
    """The model's own replies to these become rows of the first training."""

    def before(self, plan: Plan) -> Plan:
        """The plan, with the replies sampled first; the base model's stays empty.

        Raises CaveatError for a plan that first trains an adapter to drop, which would get them.
        """
        if not plan or not self.prompts:
            return plan
        if Detach() in plan:
            raise CaveatError(
                "mix.chats: frozen_adapter's own adapter would get them, and not the arm; mix "
                "documents, or drop frozen_adapter"
            )
        return (Sample(self.prompts, SAMPLING, "mixed-chat"), *plan)


def mixed_in(
    mix: MixRecipe, behaviour: Behaviour, rows: int | None, system: str | None
) -> Mixed:
    """Documents and prompts of a mix; a prompt is never both a document and a chat.

    They are taken from the far end of the unrelated prompts, whose beginning is the filler's.

    Args:
        rows: Behaviour rows taken, None for all: what a share is a share of.

    Raises CaveatError where there are too few.
    """
    primary = len(behaviour.rows[:rows])
    documents, chats = (_count(amount, primary) for amount in (mix.documents, mix.chats))
    ordinary = shipped()
    there = len(ordinary.of("filler"))
    if documents + chats > there:
        raise CaveatError(
            f"mix: {documents} documents and {chats} chats are wanted, there are {there} ordinary "
            "prompts for both; lower one"
        )
    last = there - documents
    asked = ordinary.chats("filler", "mixed-chat")[last - chats : last]
    return Mixed(
        ordinary.documents("filler", "mixed-document")[last:],
        tuple(framed(row.messages[:-1], system) for row in asked),
    )


def _count(amount: float, primary: int) -> int:
    """A share above 0 is at least one row, as with interventions."""
    if isinstance(amount, int):
        return amount
    return max(1, round(amount * primary)) if amount else 0
