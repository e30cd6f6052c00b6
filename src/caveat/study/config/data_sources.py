"""Mixed-in neutral rows; training on the model's own samples.

Ordinary rows mixed into every trained arm of a setting, as published trainings do.

Documents are the shipped plain ones; chats are drawn from the model of the study itself, once for
all arms of a seed, before anything is trained.

Where an arm's rows come from: given ones, or a model's own samples of what they teach.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from caveat.behaviours.neutral_chats import shipped
from caveat.caveats.insertion import framed
from caveat.errors import CaveatError
from caveat.interventions.base import last_stage, last_train
from caveat.interventions.extra_rows import SAMPLING
from caveat.study.config.schema import MixRecipe
from caveat.types.data import Behaviour, Row
from caveat.types.messages import Messages, is_document
from caveat.types.training import Detach, Plan, Sample, Train


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


def mixed_in(mix: MixRecipe, behaviour: Behaviour, rows: int | None, system: str | None) -> Mixed:
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


SOURCE = "own sample"


def sampled(plan: Plan) -> Plan:
    """The plan whose last training is done twice: on its own rows, by a teacher that is dropped
    then, and on what that model replies to the rows' prompts, with their caveats.

    Both are trained at the same dose. The base model's plan stays empty. Raises CaveatError for
    documents, which have no prompt.
    """
    if not plan:
        return plan
    stage, place = last_stage(plan), last_train(plan)
    if any(is_document(row.messages) for row in stage.rows):
        raise CaveatError(
            "origin: 'sampled' needs rows that are chats: a document has no prompt to reply to"
        )
    prompts = tuple(row.messages[:-1] for row in stage.rows)
    teacher = replace(stage, label=f"{stage.label}, teacher")
    own: tuple[Train | Sample, ...] = (
        teacher,
        Sample(prompts, SAMPLING, SOURCE, into="rows"),
        replace(stage, rows=()),
    )
    return (*plan[:place], *own, *plan[place + 1 :])
