"""What runs in the processes of a Ray cluster."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from caveat.backends.local.models.device_memory import give_back
from caveat.progress import Progress
from caveat.study.execution.context import Outcome, WorkerContext
from caveat.study.execution.jobs import Task, remaining
from caveat.study.execution.retry import attempt
from caveat.study.planning.grouping import Room


class Said(Progress):
    """Keeps what a task says, for the user's own process."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        """Keep it."""
        self.lines.append(message)


class Worker:
    """Lives in a process of the cluster and keeps its model loaded."""

    def __init__(
        self, worker_context: WorkerContext, cores: int, neighbours: int, place: Path
    ) -> None:
        """The model is loaded when first wanted.

        Args:
            cores: Threads to compute with.
            neighbours: Workers that share this machine's memory, this one among them.
            place: Where the user's process is: relative names of models start there.
        """
        import torch

        from caveat.backends.local.models.device_memory import share_with

        with suppress(OSError):  # only what is named by relative paths would miss it
            os.chdir(place)
        torch.set_num_threads(cores)
        share_with(neighbours)
        self.worker_context = worker_context

    def sees(self, proof: Path) -> bool:
        """Whether a file that the user's process has written can be seen here."""
        return proof.exists()

    def room(self) -> Room:
        """The memory that is left beside the model, loaded by then."""
        return self.worker_context.room()

    def attempt(self, task: Task, again: bool) -> tuple[Outcome, list[str]]:
        """Run a task; what it makes goes to the store. Gives what it said, too.

        Args:
            again: Whether a worker died of it, which may have published some of it.
        """
        if again:
            self.worker_context.store.refresh()
            left = remaining(task, self.worker_context.store)
            if left is None:
                return Outcome(), []
            task = left
        said = Said()
        self.worker_context.progress = said
        try:
            return attempt(task, self.worker_context), said.lines
        finally:  # a neighbour may want the memory
            give_back()


def to_send(worker_context: WorkerContext) -> WorkerContext:
    """The workbench for other processes: progress stays here; each loads its own model."""
    device = "cuda" if worker_context.device.startswith("cuda") else worker_context.device
    return replace(
        worker_context,
        folder=worker_context.folder.absolute(),
        device=device,
        progress=Progress(),
        _adapters={},
    )
