"""The same group tasks on a Ray cluster, whose machines share the study's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.study.atomic import Unwritable
from caveat.study.attempt import attempt
from caveat.study.bench import Outcome, Workbench
from caveat.study.cost import Meter
from caveat.study.tasks import Task


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
        self.remote = ray.remote(num_gpus=1 if gpus else 0)(Worker)
        # Progress stays with the user; the model is loaded anew by each worker.
        self.bench: Any = replace(
            bench, folder=bench.folder.absolute(), progress=Progress(), _adapters={}
        )
        self.workers = [self.remote.remote(self.bench) for _ in range(max(gpus, 1))]

    def submit(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Every worker has one task at a time. Where one dies, its task fails and nothing else."""
        waiting, idle = list(tasks), list(self.workers)
        running: dict[Any, tuple[Any, Task]] = {}
        while waiting or running:
            while waiting and idle:
                worker, task = idle.pop(), waiting.pop(0)
                running[worker.attempt.remote(task)] = (worker, task)
            (done, *_), _ = self.ray.wait(list(running))
            worker, task = running.pop(done)
            try:
                outcome = self.ray.get(done)
            except Unwritable as error:  # Ray hands on what a task raised as a class of its own
                raise getattr(error, "cause", error) from None
            except Exception as error:
                outcome = _failed(task, error)
                worker = self._another(worker)
            idle.append(worker)
            self.meter.end(task)
            yield outcome

    def _another(self, dead: Any) -> Any:
        """A new worker in place of one that died."""
        self._kill(dead)
        self.workers.remove(dead)
        self.workers.append(self.remote.remote(self.bench))
        return self.workers[-1]

    def _kill(self, worker: Any) -> None:
        with suppress(Exception):  # it may be dead already
            self.ray.kill(worker)

    def close(self) -> None:
        """Give the workers back."""
        for worker in self.workers:
            self._kill(worker)


def _failed(task: Task, error: Exception) -> Outcome:
    """The outcome of a task whose worker died."""
    reason = f"the Ray worker failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return Outcome(tuple((key, reason) for key in task.keys))
