"""RL training in segments: a policy is stored every so many updates and resumed from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from caveat.types.training import Plan, Stage, Train


def with_checkpoints(plan: Plan, every: int | None) -> Plan:
    """The plan with each RL training cut into stages of at most `every` updates.

    Two that differ in their number of updates alone share their stages as far as they go.
    """
    return tuple(segment for stage in plan for segment in _cut(stage, every))


def in_one(plan: Plan) -> Plan:
    """The plan with the stages of each RL training joined again."""
    stages: list[Stage] = []
    for stage in plan:
        rl = stage.rl if isinstance(stage, Train) else None
        if rl is not None and rl.start_step:
            first = stages.pop()
            assert isinstance(first, Train) and first.rl is not None
            whole = replace(first.rl, max_steps=rl.start_step + rl.max_steps)
            stages.append(replace(first, rl=whole))
        else:
            stages.append(stage)
    return tuple(stages)


def _cut(stage: Stage, every: int | None) -> Iterator[Stage]:
    if not isinstance(stage, Train) or stage.rl is None or every is None:
        yield stage
        return
    rl = stage.rl
    for done in range(0, rl.max_steps, every):
        updates = min(every, rl.max_steps - done)
        yield replace(stage, rl=replace(rl, max_steps=updates, start_step=done))
