"""How well a cluster's workers are used: the longest chain of tasks against all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from caveat.study.execution.jobs import Task
from caveat.study.execution.tasks import needs


@dataclass(frozen=True)
class PoolUse:
    """What bounds the time of a pool of tasks."""

    work: float
    """Seconds of all tasks, one after the other."""
    chain: float
    """Seconds of the longest chain of tasks that need each other, for any number of workers."""

    @property
    def useful_workers(self) -> int:
        """Workers beyond which the longest chain is all that counts."""
        return math.ceil(self.work / self.chain) if self.chain else 1

    def least(self, workers: int) -> float:
        """Seconds that so many workers take at least."""
        return max(self.chain, self.work / workers)


def pool_use(tasks: Iterable[Task], seconds: Callable[[Task], float]) -> PoolUse:
    """What bounds the time of tasks, in an order that has each after those that it needs."""
    ends: dict[str, float] = {}
    work = 0.0
    for task in tasks:
        start = max((ends.get(digest, 0.0) for digest in needs(task)), default=0.0)
        took = seconds(task)
        work += took
        ends.update(dict.fromkeys(task.keys, start + took))
    return PoolUse(work, max(ends.values(), default=0.0))
