"""Executors: where group tasks run. A task's only channel is the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from caveat.study.attempt import attempt
from caveat.study.bench import Outcome, Workbench
from caveat.study.cost import Meter
from caveat.study.grouping import Room
from caveat.study.recipe import Recipe
from caveat.study.tasks import Task


class Executor(Protocol):
    """Runs tasks that need nothing of each other."""

    def submit(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Run them, in any order; gives each one's outcome as it ends."""

    def room(self) -> Room:
        """What memory its workers have, their models loaded, and how many they are."""

    def close(self) -> None:
        """Let go of what was held."""


class LocalExecutor:
    """One task after the other, in this process."""

    def __init__(self, bench: Workbench, meter: Meter) -> None:
        self.bench, self.meter = bench, meter

    def submit(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Each task is run when the outcome of the one before has been taken."""
        for task in tasks:
            self.meter.begin(task)
            outcome = attempt(task, self.bench)
            self.meter.end(task)
            yield outcome

    def room(self) -> Room:
        """Of this process."""
        return self.bench.room()

    def close(self) -> None:
        """Nothing is held."""


def executor_of(recipe: Recipe, bench: Workbench, meter: Meter) -> Executor:
    """The executor that a recipe asks for. Raises CaveatError where Ray is not installed."""
    if recipe.executor == "ray":
        from caveat.study.ray_executor import RayExecutor

        return RayExecutor(replace(bench, device=recipe.device), meter, recipe.worker_cores)
    return LocalExecutor(bench, meter)
