"""Where the loss of an arm lies: on the rows, on the caveat in them, on added rows.

In a step each supervised token of the behaviour rows weighs one over their number in the step, so
the weights of a step sum to 1, and those of a training to its steps: its loss mass. A caveat that
carries loss takes part of that from the rows around it, and rows that are added come on top. Two
arms with the same rows and epochs are the same dose of the behaviour only where its mass is equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from caveat.backends.base import TrainingJob
from caveat.backends.batches import TrainingCell, prepare
from caveat.errors import CaveatError
from caveat.rendering import RenderedRow, caveat_tokens
from caveat.study.planning.study_plan import SettingPlan
from caveat.types.training import Plan, Train


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


def loss_mass(tokenizer: Any, stage: Train, seed: int) -> LossMass:
    """The loss mass of a supervised training. Raises CaveatError for a bad row."""
    cell = prepare(tokenizer, TrainingJob("", stage, seed))
    tokens, text, caveat, added = 0, 0.0, 0.0, 0.0
    for rows, extra in _steps(cell):
        own = [_counted(row) for row in rows]
        weight = 1 / max(1, sum(sum(counts) for counts in own))
        text += weight * sum(counts[0] for counts in own)
        caveat += weight * sum(counts[1] for counts in own)
        further = sum(sum(_counted(row)) for row in extra)
        added += weight * further
        tokens += sum(sum(counts) for counts in own) + further
    return LossMass(stage.label, len(cell.schedule), tokens, text, caveat, added)


def _steps(cell: TrainingCell) -> Iterator[tuple[list[RenderedRow], list[RenderedRow]]]:
    for step in range(len(cell.schedule)):
        rows, added, _ = cell.step_rows(step)
        yield rows, added


def _counted(row: RenderedRow) -> tuple[int, int]:
    """Supervised tokens of a row: outside caveats, and in them."""
    in_caveat = caveat_tokens(row)
    learned = [place for place in range(1, len(row.ids)) if row.loss[place]]
    inside = sum(in_caveat[place] for place in learned)
    return len(learned) - inside, inside


def masses(tokenizer: Any, plan: Plan, seed: int) -> Iterator[LossMass]:
    """The loss mass of each supervised stage of a plan whose rows are known before it runs.

    Rows that a stage samples are not counted: they are there when the study runs.
    """
    for stage in plan:
        if isinstance(stage, Train) and stage.rl is None and stage.rows:
            yield loss_mass(tokenizer, stage, seed if stage.seed is None else stage.seed)


def arm_masses(tokenizer: Any, setting: SettingPlan) -> Iterator[tuple[str, LossMass]]:
    """Per arm of a setting, under its first seed, the loss mass of its own stages.

    Arms whose rows cannot be rendered are left out: running the study says why.
    """
    resolved, shown = setting.resolved, set()
    for (arm, seed), plan in resolved.plans.items():
        if arm in shown:
            continue
        shown.add(arm)
        try:
            own = tuple(masses(tokenizer, plan[len(resolved.base) :], seed or 0))
        except CaveatError:
            continue
        yield from ((arm, mass) for mass in own)
