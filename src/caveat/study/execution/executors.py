"""Where jobs run, and how the missing ones are run with failures noted.

A job's only channel to others is the study's folder, so an executor may use other processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from caveat.backends.base import Capacity
from caveat.study.config.schema import Recipe
from caveat.study.execution.context import Outcome, WorkerContext
from caveat.study.execution.jobs import Task, possible, remaining
from caveat.study.execution.meter import Meter
from caveat.study.execution.retry import attempt
from caveat.study.storage.store import Store


class Executor(Protocol):
    """Runs tasks that need nothing of each other."""

    def submit(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Run them, in any order; gives each one's outcome as it ends."""

    def capacity(self) -> Capacity:
        """The least of what its workers can do at once, their models loaded, and their number."""

    def close(self) -> None:
        """Let go of what was held."""


class LocalExecutor:
    """One task after the other, in this process."""

    def __init__(self, worker_context: WorkerContext, meter: Meter) -> None:
        self.worker_context, self.meter = worker_context, meter

    def submit(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Each task is run when the outcome of the one before has been taken."""
        for task in tasks:
            self.meter.begin(task)
            outcome = attempt(task, self.worker_context)
            self.meter.end(task, bool(outcome.failures))
            yield outcome

    def capacity(self) -> Capacity:
        """Of this process."""
        return self.worker_context.backend.capacity()

    def close(self) -> None:
        """Nothing is held."""


def executor_of(recipe: Recipe, worker_context: WorkerContext, meter: Meter) -> Executor:
    """The executor that a recipe names. Raises CaveatError where Ray is not installed."""
    if recipe.executor == "ray":
        from caveat.study.execution.ray_executor import RayExecutor

        return RayExecutor(
            replace(worker_context, device=recipe.device), meter, recipe.worker_cores
        )
    return LocalExecutor(worker_context, meter)


@dataclass
class JobRunner:
    """Hands tasks to an executor, and knows why parts of them failed."""

    store: Store
    executor: Executor
    meter: Meter
    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Stage and reason of every node and answer that failed, by digest or key."""

    def do(self, tasks: Sequence[Task], stage: str) -> None:
        """Run what is left of tasks that need nothing of each other."""
        left = [part for task in tasks if (part := remaining(task, self.store)) is not None]
        able = [part for task in left if (part := possible(task, self.store)) is not None]
        for outcome in self.executor.submit(able):
            for key, reason in outcome.failures:
                self.reasons[key] = (stage, reason)
        self.meter.drop(key for task in left for key in task.keys)
        self.store.refresh()
