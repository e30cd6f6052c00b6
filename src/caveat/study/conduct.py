"""Doing tasks: what is missing and can be done, with what failed noted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from caveat.study.cost import Meter
from caveat.study.executors import Executor
from caveat.study.store import Store
from caveat.study.tasks import Task
from caveat.study.todo import possible, remaining


@dataclass
class Conductor:
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
