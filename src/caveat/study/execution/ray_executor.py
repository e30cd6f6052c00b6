"""The same group tasks on a Ray cluster, whose machines share the study's folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from caveat.errors import CaveatError
from caveat.files.atomic import Unwritable
from caveat.study.execution.context import Outcome, WorkerContext
from caveat.study.execution.jobs import Task
from caveat.study.execution.meter import Meter
from caveat.study.execution.ray_cluster import Member, Team, one_line
from caveat.study.planning.grouping import Room

PATIENCE = 60.0
"""Seconds without a word from anyone, none of them at work, after which the user is told."""


@dataclass(frozen=True)
class Work:
    """A task, and how often a worker died of it."""

    task: Task
    deaths: int = 0


@dataclass(frozen=True)
class Shift:
    """A worker at its task."""

    member: Member
    work: Work
    start: float = field(default_factory=time.monotonic)


class RayExecutor:
    """One worker a GPU, or a node, or a share of its cores; each has one task at a time.

    A task whose worker dies is given to another, once. A task that fails is not: it has been tried
    part by part where it ran.
    """

    def __init__(
        self, worker_context: WorkerContext, meter: Meter, cores: int | None = None
    ) -> None:
        """Raises CaveatError where Ray is not installed or no cluster answers."""
        self.meter = meter
        self.team = Team(worker_context, cores)
        self.ray = self.team.ray

    def submit(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Outcomes as they come. Raises CaveatError where no worker is left."""
        waiting = [Work(task) for task in tasks]
        running: dict[Any, Shift] = {}
        if waiting:
            self.team.muster()
        while waiting or running:
            while waiting and self.team.idle:
                member, work = self.team.idle.pop(0), waiting.pop(0)
                running[member.actor.attempt.remote(work.task, work.deaths > 0)] = Shift(
                    member, work
                )
            self.team.check()
            told, _ = self.ray.wait([*running, *self.team.starting], timeout=PATIENCE)
            if not running:
                self._tell_waiting(told)
            for each in told:
                if each in self.team.starting:
                    self.team.started(each)
                    continue
                shift = running.pop(each)
                outcome = self._outcome(each, shift)
                if outcome is None:
                    waiting.insert(0, replace(shift.work, deaths=1))
                else:
                    took = time.monotonic() - shift.start
                    self.meter.elsewhere(shift.work.task, took / max(1, len(self.team.members)))
                    yield outcome

    def room(self) -> Room:
        """The least of the workers, once all that could start have loaded their models."""
        self.team.muster()
        while self.team.starting:
            told, _ = self.ray.wait(list(self.team.starting), timeout=PATIENCE)
            for each in told:
                self.team.started(each)
            if not told and self.team.members:
                break
            self._tell_waiting(told)
        asked = {member.actor.room.remote(): member for member in self.team.members}
        rooms = []
        for each, member in asked.items():
            try:
                rooms.append(self.ray.get(each))
            except self.ray.exceptions.RayTaskError as error:  # its model cannot be loaded
                raise getattr(error, "cause", error) from None
            except self.ray.exceptions.RayError:
                self.team.lose(member)
        if not rooms:
            return self.room()
        return replace(min(rooms, key=lambda each: each.free), workers=len(rooms))

    def _tell_waiting(self, told: Sequence[Any]) -> None:
        self.team.check()
        if not told:
            self.meter.say("waiting for the Ray cluster: its cores, or GPUs, are taken")

    def _outcome(self, told: Any, shift: Shift) -> Outcome | None:
        """How a task went; None where it is to be given to another worker."""
        try:
            outcome, said = self.ray.get(told)
        except Unwritable as error:  # Ray hands on what a task raised as a class of its own
            raise getattr(error, "cause", error) from None
        except self.ray.exceptions.LocalRayletDiedError:
            raise CaveatError(
                "executor 'ray': the Ray node of this machine has died; what is finished is "
                "kept: start it and run the same command again"
            ) from None
        except self.ray.exceptions.RayTaskError as error:
            self.team.idle.append(shift.member)
            return _failed(shift.work.task, error)
        except Exception as error:
            self.team.lose(shift.member)
            self.team.muster()
            if shift.work.deaths:
                return _failed(shift.work.task, error)
            self.meter.say(
                f"the Ray worker on {shift.member.seat.host} died; its task is given to another"
            )
            return None
        for line in said:
            self.meter.say(f"{shift.member.seat.host}: {line}")
        self.team.idle.append(shift.member)
        return outcome

    def close(self) -> None:
        """Give the workers back."""
        self.team.close()


def _failed(task: Task, error: Exception) -> Outcome:
    """The outcome of a task that ended without one."""
    reason = f"the Ray worker failed: {one_line(error)}"
    return Outcome(tuple((key, reason) for key in task.keys))
