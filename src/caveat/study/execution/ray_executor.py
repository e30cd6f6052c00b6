"""Run jobs on a Ray cluster whose machines share the study's folder.

Workers are actors, which keep the model loaded. Ray places them, queues those that do not fit yet
and restarts them (`max_restarts`). Its retries of an actor's task (`max_task_retries`, and
`ray.util.ActorPool` on top) are not used for jobs: a retry waits for the *same* actor, and the
actor of a dead node cannot restart while other workers hold every core that is left, so the study
would stand still. Here a job whose worker died goes to the next worker that is free.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from caveat.backends import limit_process
from caveat.backends.base import Capacity, least
from caveat.errors import CaveatError
from caveat.files.atomic import Unwritable, write_errors
from caveat.progress import Progress
from caveat.study.execution.context import Outcome, WorkerContext
from caveat.study.execution.jobs import Task, remaining
from caveat.study.execution.meter import Meter
from caveat.study.execution.ray_cluster import Placement, connect, one_line, placements
from caveat.study.execution.retry import attempt

PATIENCE = 60.0
"""Seconds in which no worker starts, and none is running, after which the user gets a message."""
RESTARTS = 4
"""How often Ray restarts a worker whose process or node died."""
ATTEMPTS = 2
"""Workers that a job may kill before it counts as failed."""


class MessageList(Progress):
    """Collects the messages of a job, for the user's own process."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def say(self, message: str) -> None:
        """Append it."""
        self.messages.append(message)


class Worker:
    """Runs in a process of the cluster. The model is loaded at the first use and kept."""

    def __init__(
        self, worker_context: WorkerContext, cores: int, neighbours: int, folder: Path
    ) -> None:
        """Set up the process.

        Args:
            cores: Threads to compute with.
            neighbours: Workers that share this machine's memory, this one included.
            folder: Working directory of the user's process: relative model names start there.
        """
        with suppress(OSError):  # matters only for relative names
            os.chdir(folder)
        limit_process(cores, neighbours)
        self.worker_context = worker_context

    def sees(self, proof: Path) -> bool:
        """Whether a file that the user's process wrote is visible here."""
        return proof.exists()

    def capacity(self) -> Capacity:
        """What this process can do at once; the model is loaded for this."""
        return self.worker_context.backend.capacity()

    def attempt(self, task: Task, again: bool) -> tuple[Outcome, list[str]]:
        """Run a job; results go to the store. Returns its messages, too.

        Args:
            again: Whether a worker died of this job, after publishing part of it perhaps.
        """
        if again:
            self.worker_context.store.refresh()
            left = remaining(task, self.worker_context.store)
            if left is None:
                return Outcome(), []
            task = left
        self.worker_context.progress = progress = MessageList()
        try:
            return attempt(task, self.worker_context), progress.messages
        finally:  # other processes of this machine may need the memory
            self.worker_context.backend.release()


def portable(worker_context: WorkerContext) -> WorkerContext:
    """The context as workers get it: without progress, each with a model of its own."""
    device = "cuda" if worker_context.device.startswith("cuda") else worker_context.device
    return replace(
        worker_context,
        folder=worker_context.folder.absolute(),
        device=device,
        progress=Progress(),
    )


@dataclass(frozen=True, eq=False)
class Member:
    """A worker and where it was first placed."""

    actor: Any
    host: str


@dataclass(frozen=True)
class Assignment:
    """A job; from its start on, with the worker that runs it."""

    task: Task
    deaths: int = 0
    """Workers that died of it."""
    member: Member | None = None
    start: float = field(default_factory=time.monotonic)


class RayExecutor:
    """Gives each free worker one job at a time.

    A job whose worker dies is given to another, once. A job that raises is not: the worker has
    tried it part by part already.
    """

    def __init__(
        self, worker_context: WorkerContext, meter: Meter, cores: int | None = None
    ) -> None:
        """Raises CaveatError where Ray is not installed or no cluster answers."""
        self.ray, self.connected_here = connect()
        self.worker_context, self.meter, self.cores = portable(worker_context), meter, cores
        self.nodes: set[str] = set()
        """Ids of the nodes that have been given workers."""
        self.starting: dict[Any, Member] = {}
        """Workers that start or restart, by the reference that resolves once they have."""
        self.idle: list[Member] = []
        self.running: dict[Any, Assignment] = {}
        self.reason = "no node has free cores"
        """Why the last worker failed to start."""
        self.proof = self.worker_context.folder / f".{uuid.uuid4().hex}.part"
        with write_errors(self.worker_context.folder):
            self.proof.touch()

    def submit(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Outcomes as they come. Raises CaveatError where no worker is left."""
        waiting = [Assignment(task) for task in tasks]
        if waiting:
            self._add_workers()
        while waiting or self.running:
            while waiting and self.idle:
                self._assign(waiting.pop(0), self.idle.pop(0))
            for reference in self._wait():
                if reference not in self.running:
                    continue
                job = self.running.pop(reference)
                outcome = self._outcome(reference, job)
                if outcome is None:
                    waiting.insert(0, Assignment(job.task, job.deaths + 1))
                    continue
                workers = max(1, len(self.running) + len(self.idle))
                took = (time.monotonic() - job.start) / workers
                self.meter.end_elsewhere(job.task, took, bool(outcome.failures))
                yield outcome

    def capacity(self) -> Capacity:
        """What every worker can do at once, and how many there are. Loads their models."""
        self._add_workers()
        while not self.idle or self.starting:
            if not self._wait() and self.idle:
                break  # the others wait for cores that something else holds
        requests = {member.actor.capacity.remote(): member for member in self.idle}
        capacities = []
        for reference, member in requests.items():
            try:
                capacities.append(self.ray.get(reference))
            except self.ray.exceptions.RayTaskError as error:  # the model cannot be loaded
                raise getattr(error, "cause", error) from None
            except self.ray.exceptions.RayError:
                self.idle.remove(member)
                self._await_start(member)
        if not capacities:
            return self.capacity()
        return least(capacities)

    def close(self) -> None:
        """Stop the workers, and leave the cluster."""
        running = [job.member for job in self.running.values() if job.member]
        for member in (*self.idle, *self.starting.values(), *running):
            with suppress(Exception):  # it may be dead already
                self.ray.kill(member.actor)
        self.proof.unlink(missing_ok=True)
        if self.connected_here:
            self.ray.shutdown()

    def _add_workers(self) -> None:
        """Create the workers of nodes that have none yet. Raises CaveatError without any node."""
        there = placements(self.ray.nodes(), self.worker_context.device, self.cores)
        for place in [place for place in there if place.node not in self.nodes]:
            neighbours = sum(other.host == place.host for other in there)
            self._await_start(Member(self._actor(place, neighbours), place.host))
        self.nodes |= {place.node for place in there}

    def _actor(self, place: Placement, neighbours: int) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options = self.ray.remote(Worker).options(
            num_cpus=0 if place.gpu else place.cores,
            num_gpus=1 if place.gpu else 0,
            max_restarts=RESTARTS,
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=True),
        )
        return options.remote(self.worker_context, place.cores, neighbours, Path.cwd())

    def _await_start(self, member: Member) -> None:
        """Expect a worker to start, or to be restarted by Ray: it then says what it sees."""
        sees = member.actor.sees.options(max_task_retries=-1)
        self.starting[sees.remote(self.proof)] = member

    def _wait(self) -> list[Any]:
        """References that resolved; workers that have started are idle then.

        Empty after PATIENCE. Raises CaveatError where no worker is left, and none is coming.
        """
        if not (self.idle or self.running or self.starting):
            raise CaveatError(
                f"executor 'ray': no worker could be started ({self.reason}); what is finished "
                "is kept: fix that and run the same command again"
            )
        ready, _ = self.ray.wait([*self.running, *self.starting], timeout=PATIENCE)
        for reference in ready:
            if reference in self.starting:
                self._started(reference)
        if not ready and not self.running and not self.idle:
            self._add_workers()
            self.meter.say("waiting for the Ray cluster: its cores, or GPUs, are taken")
        return ready

    def _started(self, reference: Any) -> None:
        member = self.starting.pop(reference)
        try:
            sees = self.ray.get(reference)
        except Exception as error:  # Ray restarts it no more, or what it needs is not installed
            self.reason = f"{member.host}: {one_line(error)}"
            return
        if not sees:
            raise CaveatError(
                f"{self.worker_context.folder}: the Ray worker on {member.host} does not see this "
                "folder; name one that all nodes of the cluster share, with --out"
            )
        self.idle.append(member)

    def _assign(self, job: Assignment, member: Member) -> None:
        reference = member.actor.attempt.remote(job.task, job.deaths > 0)
        self.running[reference] = Assignment(job.task, job.deaths, member)

    def _outcome(self, reference: Any, job: Assignment) -> Outcome | None:
        """How a job went; None where its worker died and another is to try it."""
        assert job.member is not None
        try:
            outcome, messages = self.ray.get(reference)
        except Unwritable as error:  # Ray raises what a job raised as a class of its own
            raise getattr(error, "cause", error) from None
        except self.ray.exceptions.LocalRayletDiedError:
            raise CaveatError(
                "executor 'ray': the Ray node of this machine has died; what is finished is "
                "kept: start it and run the same command again"
            ) from None
        except self.ray.exceptions.RayTaskError as error:
            self.idle.append(job.member)
            return _failed(job.task, error)
        except Exception as error:
            self._await_start(job.member)
            if job.deaths + 1 >= ATTEMPTS:
                return _failed(job.task, error)
            self.meter.say(
                f"the Ray worker on {job.member.host} died; its task is given to another"
            )
            return None
        for message in messages:
            self.meter.say(f"{job.member.host}: {message}")
        self.idle.append(job.member)
        return outcome


def _failed(task: Task, error: Exception) -> Outcome:
    """The outcome of a job that ended without one."""
    reason = f"the Ray worker failed: {one_line(error)}"
    return Outcome(tuple((key, reason) for key in task.keys))
