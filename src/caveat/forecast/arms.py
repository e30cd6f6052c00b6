"""What a forecast can know of an arm: its rows, and its training in miniature.

The miniature trains on the first few rows, assigned to steps as in the full training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from caveat.backends.base import Backend, Feature
from caveat.backends.batches import LossSum, schedule
from caveat.backends.inspection import GradientProducts
from caveat.backends.jobs import AdapterRef, InitialModel
from caveat.errors import CaveatError
from caveat.rendering import RenderedRow, render_row
from caveat.study.config.resolve import Resolved
from caveat.types.data import Row
from caveat.types.messages import without_caveat
from caveat.types.training import Plan, Sample, Stage, Train

LEAST_STEPS = 4
"""A miniature has no fewer, as long as it has as many rows."""


def miniature(stage: Train, seed: int, rows: int) -> Train:
    """The stage with the first `rows` rows that it would read, once, and what it reads beside them.

    Its steps have the dose's batch size, or a quarter of the rows where that is less: a training
    has a few steps at the least. Added and kept rows are those of the same steps, so they
    have the share that they have in the whole. The learning rate rises and falls as the dose's,
    over fewer steps.
    """
    wanted = min(rows, len(stage.rows))
    size = min(stage.dose.batch_size, max(1, wanted // LEAST_STEPS))
    dose = replace(stage.dose, epochs=1, batch_size=size)
    first = schedule(replace(stage, dose=dose), seed)[: math.ceil(wanted / size)]
    chosen, added, kept = (
        _taken(some, (step[place] for step in first))
        for place, some in enumerate((stage.rows, stage.added, stage.kl_rows))
    )
    return replace(stage, rows=chosen[:wanted], added=added, kl_rows=kept, dose=dose)


def _taken(rows: tuple[Row, ...], places: Iterable[list[int]]) -> tuple[Row, ...]:
    return tuple(rows[place] for step in places for place in step)


@dataclass(frozen=True)
class ForecastModel:
    """A setting's base model on its backend, and how its arms would be trained on it."""

    backend: Backend
    start: InitialModel[AdapterRef]

    def rendered(self, rows: Iterable[Row]) -> list[RenderedRow]:
        """Rows with the loss on their replies. Raises CaveatError for a row that is too long."""
        tokenizer, most = self.backend.tokenizer, self.start.dose.max_tokens
        return [render_row(tokenizer, row, "reply", most) for row in rows]

    def losses(
        self, sums: Sequence[LossSum], adapters: Sequence[AdapterRef | None] | None = None
    ) -> list[float]:
        """Each sum of losses, in nats; where adapters are given, with each one on top."""
        return self.backend.losses(self.start, sums, adapters)

    def gradient_products(
        self, sums: Sequence[LossSum], direction: LossSum
    ) -> list[GradientProducts]:
        """Products of each sum's gradient with that of `direction`, and with itself.

        Raises CaveatError where the backend has no gradients.
        """
        if Feature.GRADIENTS not in self.backend.supports:
            raise CaveatError(f"the backend of {self.backend.name} gives no gradients")
        return self.backend.gradient_products(self.start, sums, direction)


BARE, MARKED = "bare", "marked"


@dataclass(frozen=True)
class Subject:
    """An arm, as far as it is known before anything of it is made."""

    arm: str
    shown: tuple[Row, ...]
    """Rows that show the behaviour, with the caveat where the arm has it."""
    training: Train | None
    """Its training in miniature; None where that is not known."""
    reason: str = ""
    """Why it is not known, in one line."""

    @property
    def stripped(self) -> tuple[Row, ...]:
        """The rows that show the behaviour, without the caveat."""
        return tuple(replace(row, messages=without_caveat(row.messages)) for row in self.shown)


def subjects(resolved: Resolved, seed: int, rows: int) -> tuple[Subject, ...]:
    """`bare` first, then the marked arms of a setting in their order."""
    arms = [arm for arm, _ in resolved.plans if arm.partition("+")[0] == MARKED]
    named = dict.fromkeys((BARE, *arms))
    return tuple(
        _subject(arm, resolved.plans[arm, seed][len(resolved.base) :], seed, rows) for arm in named
    )


def _subject(arm: str, own: Plan, seed: int, rows: int) -> Subject:
    """`own` are the arm's stages behind those of the base model."""
    trainings = [stage for stage in own if isinstance(stage, Train) and stage.rows]
    first = next((stage for stage in trainings if carries_caveat(stage)), trainings[0])
    reason = "; ".join(unknown_parts(own, first))
    small = miniature(first, seed, rows)
    return Subject(arm, small.rows, None if reason else small, reason)


def unknown_parts(own: tuple[Stage, ...], first: Train) -> list[str]:
    """Why a training is not known before the study runs; nothing where it is.

    Args:
        own: The arm's stages behind those of the base model.
        first: The one on rows with the caveat.
    """
    return list(_unknown(own, first))


def _unknown(own: tuple[Stage, ...], first: Train) -> Iterator[str]:
    sampled = dict.fromkeys(stage.source for stage in own if isinstance(stage, Sample))
    if sampled:
        yield f"rows that it is trained on are sampled when the study runs ({', '.join(sampled)})"
    if first.rl is not None:
        yield "its replies are sampled and rewarded when the study runs (RL)"
        return
    others = [stage for stage in own if isinstance(stage, Train) and stage is not first]
    if others and not sampled:
        labels = ", ".join(repr(stage.label) for stage in others)
        yield f"its plan has a stage of its own beside the training on marked rows ({labels})"


def carries_caveat(stage: Train) -> bool:
    """Whether a stage trains on rows with the caveat."""
    return any(
        piece.kind == "caveat"
        for row in stage.rows
        for message in row.messages
        for piece in message.pieces
    )
