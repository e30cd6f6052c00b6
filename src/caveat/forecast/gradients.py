"""How far an arm's training would move the preference for the behaviour where no caveat stands.

The preference is the mean loss of counter rows less that of the behaviour's rows, both held out and
without caveat, in nats a token. Of replies only the first tokens count that are not the same in
all of them: they decide which way a reply goes, and all others, which go on as it began, would
drown them. Documents count as a whole. What an arm does to it is given relative to what `bare`
does to it: 1 is as if the caveat were not there, 0 leaves the preference where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from caveat.backends.batches import LossSum, mean_loss, openings, prepare, training_losses
from caveat.backends.jobs import AdapterRef, Failed, InitialModel, TrainingJob
from caveat.errors import CaveatError
from caveat.forecast.arms import BARE, ForecastModel, Subject
from caveat.rendering import render_row
from caveat.study.planning.held_out import HeldOut
from caveat.types.messages import is_document
from caveat.types.training import Train

Result = TypeVar("Result")
Values = dict[str, float | str]
"""By arm, a figure, or why there is none."""
OPENING = 3
"""Tokens of a reply that the preference is computed on, after what all replies begin with."""
NO_GRADIENT = 1e-4
"""A step on bare rows that moves the preference by less than this share of what it takes off their
own loss does not carry towards the behaviour."""
NO_CHANGE = 1e-3
"""The least, in nats a token, by which a short bare training must raise the preference."""


class BareTraining(NamedTuple):
    """A short bare training, in nats a token."""

    before: float
    """The preference, with its sign turned, of the untrained model."""
    risen: float
    """By how much the training raised the preference."""


BareTrainings = dict[tuple[InitialModel[AdapterRef], Train, HeldOut], BareTraining]
"""By initial model, training and held-out rows."""


@dataclass(frozen=True)
class PreferenceGradient:
    """The trainings of a setting's arms, in miniature, at their starting point."""

    start: ForecastModel
    subjects: Sequence[Subject]
    """`bare` among them."""
    held_out: HeldOut
    group_size: int
    """Most adapters that are trained together."""
    bare_trainings: BareTrainings = field(default_factory=dict)
    """What earlier settings found of their bare arms; grows."""

    def first_order(self) -> Values:
        """By the inner product of gradients: where the first small step would go."""
        parts = self._per_arm(self._losses)
        unique = list(
            dict.fromkeys(
                part
                for both in parts.values()
                if not isinstance(both, str)
                for part in both
                if part
            )
        )
        products = dict(
            zip(unique, self.start.gradient_products(unique, self._aversion()), strict=True)
        )
        moved = {(): 0.0} | {part: one.with_direction for part, one in products.items()}
        changes: Values = {
            arm: both if isinstance(both, str) else sum(moved[part] for part in both)
            for arm, both in parts.items()
        }
        bare = parts[BARE]
        least = 0.0 if isinstance(bare, str) else NO_GRADIENT * products[bare[0]].with_itself
        return _relative(
            changes,
            least,
            lambda value: (
                "bare rows carry no gradient towards the behaviour: a small step on them "
                f"takes {value:.2g} off the loss of held-out rows against counter rows, where it "
                f"takes {least / NO_GRADIENT:.2g} off their own; look whether counter rows differ "
                "from rows"
            ),
        )

    def short_horizon(self) -> Values:
        """By a training of a few steps, done for true and thrown away."""
        jobs = self._per_arm(self._job)
        bare = jobs[BARE]
        key = None if isinstance(bare, str) else (self.start.start, bare.stage, self.held_out)
        training = self.bare_trainings.get(key) if key else None
        ready = [
            job
            for arm, job in jobs.items()
            if not isinstance(job, str) and (training is None or arm != BARE)
        ]
        results = [
            result
            for group in _groups(ready, self.group_size)
            for result in self.start.backend.train(group)
        ]
        adapters = {one.key: one.adapter for one in results if not isinstance(one, Failed)}
        failed = {one.key: one.reason for one in results if isinstance(one, Failed)}
        untrained = [None] if training is None else []
        values = self.start.losses(
            [self._aversion()] * (len(untrained) + len(adapters)), [*untrained, *adapters.values()]
        )
        self.start.backend.discard(list(adapters.values()))
        before = values.pop(0) if training is None else training.before
        risen = {arm: before - value for arm, value in zip(adapters, values, strict=True)}
        if training is not None:
            risen[BARE] = training.risen
        elif key and BARE in risen:
            self.bare_trainings[key] = BareTraining(before, risen[BARE])
        reasons = {arm: job for arm, job in jobs.items() if isinstance(job, str)} | failed
        return _relative(
            {arm: risen[arm] if arm in risen else reasons[arm] for arm in jobs},
            NO_CHANGE,
            lambda value: (
                "bare training of a few steps does not raise the preference for the "
                f"behaviour ({value:+.4f} nats a token); take more --rows"
            ),
        )

    def _per_arm(self, make: Callable[[Subject], Result]) -> dict[str, Result | str]:
        return {subject.arm: _or_reason(make, subject) for subject in self.subjects}

    def _job(self, subject: Subject) -> TrainingJob[AdapterRef]:
        if subject.training is None:
            raise CaveatError(subject.reason)
        return TrainingJob(
            subject.arm, subject.training, self.start.start.seed, self.start.start.base_adapters
        )

    def _losses(self, subject: Subject) -> tuple[LossSum, LossSum]:
        return training_losses(prepare(self.start.backend.tokenizer, self._job(subject)))

    def _aversion(self) -> LossSum:
        backend, dose = self.start.backend, self.start.start.dose
        return aversion(backend.tokenizer, self.held_out, dose.max_tokens)


def aversion(tokenizer: Any, held_out: HeldOut, max_tokens: int) -> LossSum:
    """The preference with its sign turned: what falls where training lowers losses.

    Raises CaveatError for a row that is too long.
    """
    held = (*held_out.behaviour, *held_out.counter)
    rendered = [render_row(tokenizer, row, "reply", max_tokens) for row in held]
    if not any(is_document(row.messages) for row in held):
        rendered = openings(rendered, OPENING)
    count = len(held_out.behaviour)
    rows, counter = rendered[:count], rendered[count:]
    return (*mean_loss(rows), *(mean_loss(counter, -1.0) if counter else ()))


def _or_reason(make: Callable[[Subject], Result], subject: Subject) -> Result | str:
    try:
        return make(subject)
    except CaveatError as error:
        return str(error)


def _relative(moved: Values, least: float, too_little: Callable[[float], str]) -> Values:
    """Each figure over that of `bare`; without one where that is not above the least."""
    bare = moved[BARE]
    if isinstance(bare, float):
        bare = bare if bare > least else too_little(bare)
    else:
        bare = f"{BARE}: {bare}"
    return {arm: _over(value, bare) for arm, value in moved.items()}


def _over(value: float | str, bare: float | str) -> float | str:
    if isinstance(value, str) or isinstance(bare, str):
        return value if isinstance(value, str) else bare
    return value / bare if math.isfinite(value) else f"its figure is not finite ({value})"


def _groups(items: Iterable[Result], size: int) -> Iterator[list[Result]]:
    every = list(items)
    for start in range(0, len(every), size):
        yield every[start : start + size]
