"""Practice in segments: a policy is kept every so many updates, and the next ones go on from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from caveat.types.training import Plan, Stage, Train


def in_segments(plan: Plan, every: int | None) -> Plan:
    """The plan with each practice cut into stages of at most `every` updates.

    Two practices that differ in their number of updates alone share their stages as far as they go.
    """
    return tuple(part for stage in plan for part in _cut(stage, every))


def in_one(plan: Plan) -> Plan:
    """The plan with the stages of each practice that was cut put together."""
    stages: list[Stage] = []
    for stage in plan:
        practice = stage.practice if isinstance(stage, Train) else None
        if practice is not None and practice.done:
            first = stages.pop()
            assert isinstance(first, Train) and first.practice is not None
            whole = replace(first.practice, updates=practice.done + practice.updates)
            stages.append(replace(first, practice=whole))
        else:
            stages.append(stage)
    return tuple(stages)


def _cut(stage: Stage, every: int | None) -> Iterator[Stage]:
    if not isinstance(stage, Train) or stage.practice is None or every is None:
        yield stage
        return
    practice = stage.practice
    for done in range(0, practice.updates, every):
        updates = min(every, practice.updates - done)
        yield replace(stage, practice=replace(practice, updates=updates, done=done))
