"""Where the loss of an arm lies: on the rows, on the caveat in them, on added rows.

In a step each supervised token of the behaviour rows weighs one over their number in the step, so
the weights of a step sum to 1, and those of a training to its steps: its loss mass. A caveat that
carries loss takes part of that from the rows around it, and rows that are added come on top. Two
arms with the same rows and epochs are the same dose of the behaviour only where its mass is equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from caveat.backends.batches import schedule
from caveat.errors import CaveatError
from caveat.study.execution.meter import RowSize
from caveat.study.planning.study_plan import SettingPlan
from caveat.types.data import Row
from caveat.types.training import LossScope, Plan, Train


@dataclass(frozen=True)
class LossMass:
    """Supervised tokens and weights of one training, all epochs together."""

    label: str
    steps: int
    tokens: int
    """Supervised tokens, each as often as it is learned."""
    text: float
    """Weight on what the behaviour rows say, in steps."""
    caveat: float
    """Weight on caveats, or neutral text, in the behaviour rows."""
    added: float
    """Weight on added rows."""

    @property
    def total(self) -> float:
        """Sum of all weights."""
        return self.text + self.caveat + self.added

    @property
    def share(self) -> float:
        """Share of the behaviour rows' loss that is on what they say, in [0, 1]."""
        return self.text / (self.text + self.caveat)


def loss_mass(stage: Train, seed: int, size: Callable[[Row, LossScope, int], RowSize]) -> LossMass:
    """The loss mass of a supervised training. Raises CaveatError for a bad row.

    Args:
        size: See `meter.row_sizes`.
    """
    rows, added = (
        [size(row, stage.loss, stage.dose.max_tokens) for row in some]
        for some in (stage.rows, stage.added)
    )
    steps = schedule(stage, seed)
    tokens, text, caveat, extra = 0, 0.0, 0.0, 0.0
    for own_indices, added_indices, _ in steps:
        own = [rows[index] for index in own_indices]
        further = sum(added[index].supervised for index in added_indices)
        supervised = sum(row.supervised for row in own)
        weight = 1 / max(1, supervised)
        text += weight * sum(row.text for row in own)
        caveat += weight * sum(row.caveat for row in own)
        extra += weight * further
        tokens += supervised + further
    return LossMass(stage.label, len(steps), tokens, text, caveat, extra)


def masses(
    plan: Plan, seed: int, size: Callable[[Row, LossScope, int], RowSize]
) -> Iterator[LossMass]:
    """The loss mass of each supervised stage of a plan whose rows are known before it runs.

    Rows that a stage samples are not counted: they are there when the study runs.
    """
    for stage in plan:
        if isinstance(stage, Train) and stage.rl is None and stage.rows:
            yield loss_mass(stage, seed if stage.seed is None else stage.seed, size)


def arm_masses(
    setting: SettingPlan, size: Callable[[Row, LossScope, int], RowSize]
) -> Iterator[tuple[str, LossMass]]:
    """Per arm of a setting, under its first seed, the loss mass of its own stages.

    Arms whose rows cannot be rendered are left out: running the study says why.
    """
    resolved, shown = setting.resolved, set()
    for (arm, seed), plan in resolved.plans.items():
        if arm in shown:
            continue
        shown.add(arm)
        try:
            own = tuple(masses(plan[len(resolved.base) :], seed or 0, size))
        except CaveatError:
            continue
        yield from ((arm, mass) for mass in own)
