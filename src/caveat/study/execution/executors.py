"""Where jobs run, and how the missing ones are run with failures noted.

A job's only channel to others is the study's folder, so an executor may use other processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from caveat.backends.capacity import Capacity
from caveat.study.config.schema import Recipe
from caveat.study.execution.context import Outcome, WorkerContext
from caveat.study.execution.jobs import Task
from caveat.study.execution.meter import Meter
from caveat.study.execution.pool import TaskPool
from caveat.study.execution.retry import attempt
from caveat.study.storage.store import Store


class Finished(NamedTuple):
    """A task that is over."""

    outcome: Outcome
    keys: set[str]
    """What it was to make, and what can no longer be made since it failed."""


class Executor(Protocol):
    """Runs the tasks of a pool as they become ready."""

    def run(self, pool: TaskPool) -> Iterator[Finished]:
        """Run them all; gives each one's outcome when it is over.

        An executor in this process runs a task when the next outcome is taken, and none before.
        """

    def capacity(self) -> Capacity:
        """The least of what its workers can do at once, their models loaded, and their number."""

    def close(self) -> None:
        """Let go of what was held."""


class LocalExecutor:
    """One task after the other, in this process and in the order of the pool."""

    def __init__(self, worker_context: WorkerContext, meter: Meter) -> None:
        self.worker_context, self.meter = worker_context, meter

    def run(self, pool: TaskPool) -> Iterator[Finished]:
        """Each task is run when the outcome of the one before has been taken."""
        while (task := pool.take()) is not None:
            self.meter.begin(task)
            outcome = attempt(task, self.worker_context)
            self.meter.end(task, bool(outcome.failures))
            yield Finished(outcome, pool.finish(task, outcome.failed))

    def capacity(self) -> Capacity:
        """Of this process."""
        return self.worker_context.backend.capacity()

    def close(self) -> None:
        """Nothing is held."""


def executor_of(recipe: Recipe, worker_context: WorkerContext, meter: Meter) -> Executor:
    """The executor that a recipe names. Raises CaveatError where Ray is not installed."""
    if recipe.executor == "ray":
        from caveat.study.execution.ray_executor import RayExecutor

        return RayExecutor(replace(worker_context, device=recipe.device), meter, recipe.ray_workers)
    return LocalExecutor(worker_context, meter)


@dataclass
class JobRunner:
    """Hands tasks to an executor, and knows why parts of them failed.

    `add` makes a pool of tasks, `finish` runs until some of them are over. An executor with
    several workers goes on with the others meanwhile.
    """

    store: Store
    executor: Executor
    meter: Meter
    on_finished: Callable[[set[str]], None] = lambda keys: None
    """Hears of nodes and answers that are over."""
    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Stage and reason of every node and answer that failed, by digest or key."""
    _stages: dict[str, str] = field(default_factory=dict)
    """Stage of every node and answer of the pool."""
    _pending: set[str] = field(default_factory=set)
    """Nodes and answers of the pool that are not over."""
    _finished: Iterator[Finished] = field(default_factory=lambda: iter(()))

    def do(self, tasks: Sequence[Task], stage: str) -> None:
        """Run what is left of tasks that need nothing of each other."""
        self.add([(stage, task) for task in tasks])
        self.finish(tasks)

    def add(self, tasks: Sequence[tuple[str, Task]]) -> None:
        """Make a pool of tasks, each with its stage, in the order of their priority.

        Those of the pool before are over, or an error ended it.
        """
        pool = TaskPool((task for _, task in tasks), self.store)
        self._stages = {key: stage for stage, task in tasks for key in task.keys}
        self._pending = pool.keys - pool.dropped
        self._finished = self.executor.run(pool)

    def finish(self, tasks: Sequence[Task]) -> None:
        """Run until these tasks of the pool are over, and read what they made."""
        keys = {key for task in tasks for key in task.keys}
        while keys & self._pending:
            finished = next(self._finished)
            for key, reason in finished.outcome.failures:
                self.reasons[key] = (self._stages[key], reason)
            self._pending -= finished.keys
            self.on_finished(finished.keys)
        if not self._pending:
            next(self._finished, None)  # the executor is through with this pool
        self.meter.drop(keys)
        self.store.refresh()
