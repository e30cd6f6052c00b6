"""Where an arm's rows come from: given ones, or a model's own samples of what they train."""

from __future__ import annotations

from dataclasses import replace

from caveat.errors import CaveatError
from caveat.interventions.base import last_stage, last_train
from caveat.interventions.extra_rows import COUNTER, SAMPLING
from caveat.types.messages import is_document
from caveat.types.training import Plan, Sample, Train

SOURCE = "own sample"


def sampled(plan: Plan) -> Plan:
    """The plan whose last training is done twice: on its own rows, by a teacher that is dropped
    then, and on what that model replies to the rows' prompts, with their caveats.

    Both are trained at the same dose. The base model's plan stays empty. Raises CaveatError for
    documents, which have no prompt.
    """
    if not plan:
        return plan
    stage, index = last_stage(plan), last_train(plan)
    if any(is_document(row.messages) for row in stage.rows):
        raise CaveatError(
            "origin: 'sampled' needs rows that are chats: a document has no prompt to reply to"
        )
    if any(isinstance(before, Sample) and before.source == COUNTER for before in plan[:index]):
        raise CaveatError(
            "origin: 'sampled' needs given counter rows: those of the base model would be trained "
            "on by the teacher only; add counter rows"
        )
    prompts = tuple(row.messages[:-1] for row in stage.rows)
    teacher = replace(stage, label=f"{stage.label}, teacher")
    own: tuple[Train | Sample, ...] = (
        teacher,
        Sample(prompts, SAMPLING, SOURCE, into="rows"),
        replace(stage, rows=()),
    )
    return (*plan[:index], *own, *plan[index + 1 :])
