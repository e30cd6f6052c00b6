"""How long the updates of policies take here: the first few of them are tried."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from caveat.domain.plan import Train
from caveat.progress import Progress
from caveat.study.cells import TrainNode

if TYPE_CHECKING:
    from caveat.language.adapter import Adapter
    from caveat.language.jobs import Practised
    from caveat.language.peak import Peak
    from caveat.language.source import LanguageModel

UPDATES = 4
"""Most that are tried."""
PATIENCE = 15.0
"""Seconds after which no further one is begun."""


@dataclass(frozen=True)
class TriedPractice:
    """What a trial of practice has shown.

    Policies come to repeat themselves, and equal replies are learned from once, so that the first
    update is the longest.
    """

    seconds: tuple[float, ...]
    """Of each update, from the first."""
    policies: int
    """That began. Those that fail are missed in later updates, as they will be in the study."""
    adapters: Sequence[Adapter]
    """Those that came through."""
    first: Peak
    """The memory of the first update."""

    def of(self, nodes: Sequence[TrainNode]) -> float:
        """Seconds of all updates of some nodes.

        One that was not tried is taken to be as long as the last that was.
        """
        numbers = (number for node in nodes for number in _numbers(node.stage))
        took = (self.seconds[min(number, len(self.seconds)) - 1] for number in numbers)
        return sum(took) / self.policies


def try_practice(
    language_model: LanguageModel,
    nodes: Sequence[TrainNode],
    updates: int,
    token_budget: int | None,
) -> TriedPractice | None:
    """Do the first updates of some policies; None where none comes through the first."""
    from caveat.language.jobs import PracticeJob, Practised
    from caveat.language.peak import Peak
    from caveat.language.practice import practise
    from caveat.tasks.grader import grades

    jobs = [PracticeJob(node.digest, _update(node.stage, 1), node.seed) for node in nodes]
    seconds: list[float] = []
    made: list[Practised] = []
    first = Peak(language_model.device)
    while jobs and len(seconds) < updates and sum(seconds) < PATIENCE:
        start = time.perf_counter()
        with nullcontext() if seconds else first:
            results = practise(language_model, jobs, grades, Progress(), token_budget)
        seconds.append(time.perf_counter() - start)
        came = [
            (job, each)
            for job, each in zip(jobs, results, strict=True)
            if isinstance(each, Practised)
        ]
        made = [each for _, each in came] or made
        jobs = [
            replace(job, stage=_update(job.stage, len(seconds) + 1), goes_on=each.standing)
            for job, each in came
        ]
    adapters = [each.standing.adapter for each in made]
    return TriedPractice(tuple(seconds), len(nodes), adapters, first) if made else None


def most_updates(nodes: Sequence[TrainNode]) -> int:
    """The highest number that an update of some policies has."""
    return max((number for node in nodes for number in _numbers(node.stage)), default=0)


def _numbers(stage: Train) -> Iterator[int]:
    """Of a stage's updates, from 1, over all stages of the practice."""
    assert stage.practice is not None
    done = stage.practice.done
    yield from range(done + 1, done + stage.practice.updates + 1)


def _update(stage: Train, number: int) -> Train:
    """A stage of this one update."""
    assert stage.practice is not None
    return replace(stage, practice=replace(stage.practice, updates=1, done=number - 1))
