"""What interventions on practice share, and which others mean something there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from caveat.domain.plan import Plan, Practice, Train
from caveat.errors import CaveatError
from caveat.interventions.materials import last_stage, with_stage

UNREAD = ("correct", "mask")
"""Interventions that change what rows reply, which practice does not read."""


def with_practice(plan: Plan, what: str, change: Callable[[Practice], Practice]) -> Plan:
    """The plan with its last practice changed. Raises CaveatError where nothing is practised."""
    if last_stage(plan).practice is None:
        raise CaveatError(
            f"{what}: is for arms that practise on a task; give the setting `practice`, or drop it"
        )

    def changed(stage: Train) -> Train:
        assert stage.practice is not None
        return replace(stage, practice=change(stage.practice))

    return with_stage(plan, changed)
