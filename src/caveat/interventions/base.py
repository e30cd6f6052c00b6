"""What interventions work with, and the plan changes that several of them share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from caveat.caveats.insertion import marked
from caveat.errors import CaveatError
from caveat.types.caveats import Setting
from caveat.types.data import Row
from caveat.types.messages import Messages
from caveat.types.training import Dose, GRPOSettings, Plan, Train, supervised_dose


@dataclass(frozen=True)
class Materials:
    """The rows of a setting, with the fixed system text."""

    setting: Setting
    rows: tuple[Row, ...]
    """The behaviour rows that are trained on, without the caveat."""
    counter: tuple[Row, ...]
    filler: tuple[Row, ...]
    seed: int
    """The cell's seed, for interventions that choose at random."""
    local: tuple[Row, ...] = ()
    """The behaviour's `local_rows`."""
    ordinary: tuple[Row, ...] = ()
    """Chats of unrelated prompts with a model's own plain replies."""

    unused: tuple[Row, ...] = ()
    """The behaviour rows that are not trained on."""

    @property
    def prompts(self) -> tuple[Messages, ...]:
        """The prompts of the ordinary chats."""
        return tuple(row.messages[:-1] for row in self.ordinary)


def last_train(plan: Plan) -> int:
    """Index of the last `Train` stage: the one that trains on the behaviour's rows."""
    indices = [index for index, stage in enumerate(plan) if isinstance(stage, Train)]
    if not indices:
        raise CaveatError("an intervention needs a plan that trains; 'base' has no interventions")
    return indices[-1]


def last_stage(plan: Plan) -> Train:
    """The last `Train` stage itself."""
    stage = plan[last_train(plan)]
    assert isinstance(stage, Train)
    return stage


def with_stage(plan: Plan, change: Callable[[Train], Train]) -> Plan:
    """The plan with its last training changed."""
    index = last_train(plan)
    return (*plan[:index], change(last_stage(plan)), *plan[index + 1 :])


def dose_of_supervised(stage: Train) -> Dose:
    """The dose for a supervised training in place of a stage. Raises CaveatError for a momentum."""
    try:
        return supervised_dose(stage.dose, stage.rl)
    except ValueError as error:
        raise CaveatError(str(error)) from None


def stage_on(plan: Plan, materials: Materials, rows: tuple[Row, ...], label: str) -> Train:
    """A training like the plan's last one on these rows, without what interventions gave that.

    It is supervised, also where the last one is RL training. Raises CaveatError where that has a
    momentum.
    """
    last = last_stage(plan)
    return replace(
        last,
        dose=dose_of_supervised(last),
        rows=rows,
        added=(),
        kl_rows=(),
        kl_weight=0.0,
        objective="sft",
        rl=None,
        label=label,
    )


def with_rows(plan: Plan, change: Callable[[Row], Row]) -> Plan:
    """The plan with each row that sets the steps of its last training changed."""
    return with_stage(
        plan, lambda stage: replace(stage, rows=tuple(change(row) for row in stage.rows))
    )


def remarked(plan: Plan, materials: Materials, **changes: Any) -> Plan:
    """The plan with the behaviour rows marked anew, under the caveat with some fields changed."""
    rows = marked(materials.rows, replace(materials.setting.caveat, **changes), materials.seed)
    return with_stage(plan, lambda stage: replace(stage, rows=rows))


def with_extra(plan: Plan, rows: tuple[Row, ...]) -> Plan:
    """The plan whose last training also gets these rows; behaviour rows and steps stay."""
    return with_stage(plan, lambda stage: replace(stage, added=stage.added + rows))


def with_added(plan: Plan, rows: tuple[Row, ...], share: float, what: str) -> Plan:
    """The plan whose last training also gets the first `share` x (behaviour rows) of `rows`.

    Behaviour rows and steps stay as they were. Raises CaveatError where there are too few rows.
    """
    return with_extra(plan, shared(rows, len(last_stage(plan).rows), share, what))


def shared(rows: tuple[Row, ...], primary: int, share: float, what: str) -> tuple[Row, ...]:
    """The first `share` x `primary` of the rows, at least one. Raises CaveatError for too few."""
    if not 0 < share < math.inf:
        raise CaveatError(f"{what}(share={share}): share must be above 0, such as share=0.5")
    count = max(1, round(share * primary))
    if count > len(rows):
        raise CaveatError(
            f"{what}(share={share}): needs {count} rows beside {primary} behaviour rows, "
            f"there are {len(rows)}; at most share={len(rows) / primary:.3g}"
        )
    return rows[:count]


UNREAD = ("correct",)
"""Interventions that change the replies of rows, which RL training does not use."""


def with_rl(plan: Plan, what: str, change: Callable[[GRPOSettings], GRPOSettings]) -> Plan:
    """The plan with the settings of its RL training changed. Raises CaveatError without any."""
    if last_stage(plan).rl is None:
        raise CaveatError(f"{what}: needs RL training; give the setting `rl`, or drop it")

    def changed(stage: Train) -> Train:
        assert stage.rl is not None
        return replace(stage, rl=change(stage.rl))

    return with_stage(plan, changed)
