"""The same group tasks on a Ray cluster, whose machines share the study's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.study.attempt import attempt
from caveat.study.cost import Meter
from caveat.study.tasks import Outcome, Task, Workbench


class Worker:
    """Lives in a process of the cluster and keeps its model loaded."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench

    def attempt(self, task: Task) -> Outcome:
        """Run a task; what it makes goes to the store."""
        return attempt(task, self.bench)


class RayExecutor:
    """As many workers as the cluster has GPUs, or one where it has none."""

    def __init__(self, bench: Workbench, meter: Meter) -> None:
        """Raises CaveatError where Ray is not installed."""
        try:
            import ray
        except ImportError:
            raise CaveatError(
                "executor 'ray': Ray is not installed; install it with: "
                "pip install 'caveat[ray]', or use the executor local"
            ) from None
        self.ray, self.meter = ray, meter
        if not ray.is_initialized():
            ray.init(log_to_driver=False)
        gpus = int(ray.cluster_resources().get("GPU", 0))
        remote = ray.remote(num_gpus=1 if gpus else 0)(Worker)
        # Progress stays with the user; the model is loaded anew by each worker.
        held: Any = replace(
            bench, folder=bench.folder.absolute(), progress=Progress(), _adapters={}
        )
        self.workers = [remote.remote(held) for _ in range(max(gpus, 1))]

    def submit(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Every worker has one task at a time."""
        waiting, idle = list(tasks), list(self.workers)
        running: dict[Any, tuple[Any, Task]] = {}
        while waiting or running:
            while waiting and idle:
                worker, task = idle.pop(), waiting.pop(0)
                running[worker.attempt.remote(task)] = (worker, task)
            (done, *_), _ = self.ray.wait(list(running))
            worker, task = running.pop(done)
            idle.append(worker)
            self.meter.end(task)
            yield self.ray.get(done)

    def close(self) -> None:
        """Give the workers back."""
        for worker in self.workers:
            self.ray.kill(worker)
