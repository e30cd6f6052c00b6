"""Run jobs on a Ray cluster whose machines share the study's folder.

Workers are actors, which keep the model loaded. Ray places them, queues those that do not fit yet
and restarts them (`max_restarts`). Its retries of an actor's task (`max_task_retries`, and
`ray.util.ActorPool` on top) are not used for jobs: a retry waits for the *same* actor, and the
actor of a dead node cannot restart while other workers hold every core that is left, so the study
would stand still. Here a job whose worker died goes to the next worker that is free.

A thread gives workers their jobs, so that they go on while the user's process scores answers.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from caveat.backends import limit_process
from caveat.backends.capacity import Capacity, least
from caveat.errors import CaveatError
from caveat.files.atomic import Unwritable, write_errors
from caveat.progress import Progress
from caveat.study.config.schema import RayRecipe
from caveat.study.execution.context import Outcome, WorkerContext
from caveat.study.execution.executors import Finished
from caveat.study.execution.jobs import Task
from caveat.study.execution.meter import Meter
from caveat.study.execution.pool import TaskPool
from caveat.study.execution.ray_cluster import Placement, connect, one_line, placements
from caveat.study.execution.retry import attempt
from caveat.study.execution.tasks import remaining

PATIENCE = 60.0
"""Seconds in which no worker starts, and none is running, after which the user gets a message."""
PAUSE = 1.0
"""Most seconds between two looks at whether the user's process has stopped."""
JOINING = 10.0
"""Seconds between two looks for nodes that have joined the cluster."""
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
        self, worker_context: WorkerContext, place: Placement, neighbours: int, folder: Path
    ) -> None:
        """Set up the process.

        Args:
            place: What it has of its machine.
            neighbours: Workers that share this machine's memory, this one included.
            folder: Working directory of the user's process: relative model names start there.
        """
        with suppress(OSError):  # matters only for relative names
            os.chdir(folder)
        limit_process(place.cores, neighbours, place.gpus or 1.0)
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


@dataclass(frozen=True)
class Ended:
    """A job that is over, on its way from the thread that gives out jobs."""

    task: Task
    took: float
    """Its seconds, divided by the number of workers."""
    finished: Finished


class RayExecutor:
    """Gives each free worker one job at a time.

    A job whose worker dies is given to another, once. A job that raises is not: the worker has
    tried it part by part already.
    """

    def __init__(
        self, worker_context: WorkerContext, meter: Meter, workers: RayRecipe | None = None
    ) -> None:
        """Raises CaveatError where Ray is not installed or no cluster answers."""
        self.workers = workers or RayRecipe()
        self.ray, self.connected_here = connect(self.workers.address)
        self.worker_context, self.meter = portable(worker_context), meter
        self.say: Callable[[str], None] = meter.say
        self.nodes: set[str] = set()
        """Ids of the nodes that have been given workers."""
        self.starting: dict[Any, Member] = {}
        """Workers that start or restart, by the reference that resolves once they have."""
        self.idle: list[Member] = []
        self.running: dict[Any, Assignment] = {}
        self.reason = "no node has free cores"
        """Why the last worker failed to start."""
        self.last_sign = self.last_look = time.monotonic()
        """When a worker last started or ended a job, and when nodes were last looked for."""
        self.stopped = Event()
        self.thread: Thread | None = None
        self.proof = self.worker_context.folder / f".{uuid.uuid4().hex}.part"
        with write_errors(self.worker_context.folder):
            self.proof.touch()

    def run(self, pool: TaskPool) -> Iterator[Finished]:
        """Outcomes as they come; jobs go on in between. Raises CaveatError without any worker."""
        events: SimpleQueue[Ended | str | BaseException | None] = SimpleQueue()
        self.say = events.put
        self.thread = Thread(target=self._give_out, args=(pool, events.put), daemon=True)
        self.thread.start()
        while (event := events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            if isinstance(event, str):
                self.meter.say(event)
                continue
            failed = bool(event.finished.outcome.failures)
            self.meter.end_elsewhere(event.task, event.took, failed)
            yield event.finished
        self.thread.join()
        self.say = self.meter.say

    def capacity(self) -> Capacity:
        """What every worker can do at once, and how many there are. Loads their models."""
        self._add_workers()
        while not self.idle or self.starting:
            self._wait()
            if self.idle and self._silence() > PATIENCE:
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
        self.stopped.set()
        running = [job.member for job in list(self.running.values()) if job.member]
        for member in (*self.idle, *self.starting.values(), *running):
            with suppress(Exception):  # it may be dead already
                self.ray.kill(member.actor)
        if self.thread is not None:
            self.thread.join(timeout=10 * PAUSE)
        self.proof.unlink(missing_ok=True)
        if self.connected_here:
            self.ray.shutdown()

    def _give_out(
        self, pool: TaskPool, put: Callable[[Ended | BaseException | None], None]
    ) -> None:
        """In a thread: run all jobs of a pool. The last event is None, or what was raised."""
        try:
            for event in self._events(pool):
                put(event)
            put(None)
        except BaseException as error:
            put(error)

    def _events(self, pool: TaskPool) -> Iterator[Ended]:
        again: list[Assignment] = []
        if pool.ready:
            self._add_workers()
        while not self.stopped.is_set() and (self.running or again or pool.ready):
            while self.idle and (again or pool.ready):
                self._assign(again.pop(0) if again else _next(pool), self.idle.pop(0))
            for reference in self._wait():
                if reference not in self.running:
                    continue
                job = self.running.pop(reference)
                outcome = self._outcome(reference, job)
                if outcome is None:
                    again.append(Assignment(job.task, job.deaths + 1))
                    continue
                workers = max(1, len(self.running) + len(self.idle))
                took = (time.monotonic() - job.start) / workers
                keys = pool.finish(job.task, outcome.failed)
                yield Ended(job.task, took, Finished(outcome, keys))

    def _add_workers(self) -> None:
        """Create the workers of nodes that have none yet. Raises CaveatError without any node."""
        self.last_look = time.monotonic()
        there = placements(self.ray.nodes(), self.worker_context.device, self.workers)
        new = [place for place in there if place.node not in self.nodes]
        alive = len(self.idle) + len(self.running) + len(self.starting)
        for place in new[: len(there) - alive]:
            neighbours = sum(other.host == place.host for other in there)
            self._await_start(Member(self._actor(place, neighbours), place.host))
            self.nodes.add(place.node)

    def _actor(self, place: Placement, neighbours: int) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options = self.ray.remote(Worker).options(
            num_cpus=(self.workers.cores or 0) if place.gpus else place.cores,
            num_gpus=place.gpus,
            max_restarts=RESTARTS,
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=True),
        )
        return options.remote(self.worker_context, place, neighbours, Path.cwd())

    def _await_start(self, member: Member) -> None:
        """Expect a worker to start, or to be restarted by Ray: it then says what it sees."""
        sees = member.actor.sees.options(max_task_retries=-1)
        self.starting[sees.remote(self.proof)] = member

    def _silence(self) -> float:
        """Seconds since the last sign of any worker."""
        return time.monotonic() - self.last_sign

    def _wait(self) -> list[Any]:
        """References that resolved; workers that have started are idle then.

        Empty after PAUSE. Raises CaveatError where no worker is left, and none is coming.
        """
        if not (self.idle or self.running or self.starting):
            raise CaveatError(
                f"executor 'ray': no worker could be started ({self.reason}); what is finished "
                "is kept: fix that and run the same command again"
            )
        ready, _ = self.ray.wait([*self.running, *self.starting], timeout=PAUSE)
        for reference in ready:
            if reference in self.starting:
                self._started(reference)
        if ready:
            self.last_sign = time.monotonic()
        elif not self.running and not self.idle and self._silence() > PATIENCE:
            self.last_sign = time.monotonic()
            self.say("waiting for the Ray cluster: its cores, or GPUs, are taken")
        if time.monotonic() - self.last_look > JOINING:
            with suppress(CaveatError):  # no node is left that can hold a worker: one may come back
                self._add_workers()
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
            self.say(f"the Ray worker on {job.member.host} died; its task is given to another")
            return None
        for message in messages:
            self.say(f"{job.member.host}: {message}")
        self.idle.append(job.member)
        return outcome


def _next(pool: TaskPool) -> Assignment:
    task = pool.take()
    assert task is not None, "a task is ready"
    return Assignment(task)


def _failed(task: Task, error: Exception) -> Outcome:
    """The outcome of a job that ended without one."""
    reason = f"the Ray worker failed: {one_line(error)}"
    return Outcome(tuple((key, reason) for key in task.keys))
