"""Independent work as one pool: which tasks may start, given what is made already.

The tasks form a graph over digests: a task needs the artifacts of its models and rows, and makes
artifacts or answers. A task may start once none of what it needs is still to be made. What failed
is not made again: those parts of a task that need it are dropped, and the rest is done.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from caveat.study.execution.jobs import AnswerGroup, Task
from caveat.study.execution.tasks import needs, possible, remaining
from caveat.study.storage.store import Store


class TaskPool:
    """The missing parts of some tasks, of which any that is ready may run.

    The order of the tasks is that of their priority. One after the other, they run in this order,
    provided that it has each task after those that make what it needs.
    """

    def __init__(self, tasks: Iterable[Task], store: Store) -> None:
        self.store = store
        self.left = [part for task in tasks if (part := remaining(task, store)) is not None]
        """By position, what is missing of each task that was not done."""
        self.made: set[str] = set()
        """What was made here. Other machines' files may show up late on a shared disk."""
        making = {
            key for task in self.left if not isinstance(task, AnswerGroup) for key in task.keys
        }
        self.blocked = [needs(task) & making for task in self.left]
        """By position, which artifacts are still to be made before a task may start."""
        self.followers: dict[str, list[int]] = {}
        for position, digests in enumerate(self.blocked):
            for digest in sorted(digests):
                self.followers.setdefault(digest, []).append(position)
        self.ready: list[int] = []
        """A heap of the positions of tasks that may start."""
        self.dropped = self._admit(
            [position for position, digests in enumerate(self.blocked) if not digests]
        )
        """Keys that cannot be made, since what they need is missing and not made here."""

    @property
    def keys(self) -> set[str]:
        """All that is to be made here."""
        return {key for task in self.left for key in task.keys}

    def take(self) -> Task | None:
        """The first task that may start, which is the caller's now; None where none may yet."""
        return self.left[heapq.heappop(self.ready)] if self.ready else None

    def finish(self, task: Task, failed: Iterable[str] = ()) -> set[str]:
        """A task is over, except for what failed; others may start now.

        Returns the keys that are over with it: its own, and those that can no longer be made.
        """
        self.made.update(set(task.keys) - set(failed))
        return {*task.keys, *self._close(task.keys)}

    def _has(self, digest: str) -> bool:
        return digest in self.made or self.store.has(digest)

    def _close(self, keys: Sequence[str]) -> set[str]:
        """Note that artifacts are made or failed. Returns the keys that are dropped for it."""
        free = []
        for key in keys:
            for position in self.followers.pop(key, ()):
                self.blocked[position].discard(key)
                if not self.blocked[position]:
                    free.append(position)
        return self._admit(free)

    def _admit(self, positions: Sequence[int]) -> set[str]:
        """Tasks wait for nothing any more. Returns the keys that are dropped."""
        dropped: set[str] = set()
        for position in positions:
            task = self.left[position]
            part = possible(task, self._has)
            lost = set(task.keys) - set(part.keys if part else ())
            if part is not None:
                self.left[position] = part
                heapq.heappush(self.ready, position)
            if lost:
                dropped |= lost | self._close(sorted(lost))
        return dropped
