"""Which nodes and GPUs get a worker.

Seats of workers on a Ray cluster: one a GPU, or one a node, or one a share of its cores.

The workers of a Ray cluster: who starts, who is free, who was lost.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caveat.errors import CaveatError
from caveat.files.atomic import room
from caveat.study.execution.context import WorkerContext
from caveat.study.execution.ray_worker import Worker, to_send


@dataclass(frozen=True)
class Seat:
    """A part of a node that one worker has for itself."""

    node: str
    """The node's id in the cluster."""
    host: str
    number: int
    """Among those of its node."""
    cores: int
    """Threads that it computes with."""
    gpu: bool


def seats(
    nodes: Sequence[Mapping[str, Any]], device: str = "auto", cores: int | None = None
) -> tuple[Seat, ...]:
    """The seats of a cluster: where it has GPUs one for each, else by cores.

    Args:
        nodes: As `ray.nodes()` tells them.
        device: `cpu` leaves GPUs alone; `cuda` wants them.
        cores: Of a seat without a GPU; None for all of its node.

    Raises CaveatError where there is none.
    """
    alive = [node for node in nodes if node["Alive"]]
    on_gpus = [seat for node in alive for seat in _by_gpu(node)]
    if device != "cpu" and on_gpus:
        return tuple(on_gpus)
    if device not in ("auto", "cpu"):
        raise CaveatError(
            f"device '{device}': the Ray cluster has no GPU ({len(alive)} nodes); "
            "use device auto or cpu"
        )
    on_cores = tuple(seat for node in alive for seat in _by_cores(node, cores))
    if not on_cores:
        wanted = f" with {cores} cores (worker_cores)" if cores else ""
        raise CaveatError(
            f"executor 'ray': none of the cluster's {len(alive)} nodes has room for a worker"
            f"{wanted}; start nodes with: ray start --address ... --num-cpus N"
        )
    return on_cores


def _by_gpu(node: Mapping[str, Any]) -> Iterator[Seat]:
    has = node["Resources"]
    gpus = int(has.get("GPU", 0))
    for number in range(gpus):
        yield _seat(node, number, max(1, int(has.get("CPU", 0)) // gpus), gpu=True)


def _by_cores(node: Mapping[str, Any], cores: int | None) -> Iterator[Seat]:
    has = int(node["Resources"].get("CPU", 0))
    for number in range(has // (cores or max(1, has))):
        yield _seat(node, number, cores or has, gpu=False)


def _seat(node: Mapping[str, Any], number: int, cores: int, gpu: bool) -> Seat:
    return Seat(node["NodeID"], node["NodeManagerHostname"], number, cores, gpu)


WAIT = 10.0
"""Seconds in which a cluster has to answer at all."""
STARTS = 2
"""How often a worker is started in one seat before the seat is given up."""


@dataclass(frozen=True, eq=False)
class Member:
    """A worker in its seat."""

    seat: Seat
    actor: Any


class Team:
    """One worker a seat; nodes that join later get theirs when the next tasks come."""

    def __init__(self, worker_context: WorkerContext, cores: int | None) -> None:
        """Raises CaveatError where Ray is not installed or no cluster answers."""
        self.ray, self.mine = connected()
        self.worker_context, self.cores = to_send(worker_context), cores
        self.starting: dict[Any, Member] = {}
        """By what tells that it has started."""
        self.members: list[Member] = []
        """That have started."""
        self.idle: list[Member] = []
        self.failed: dict[Seat, int] = {}
        self.reason = ""
        """Why the last one failed to start."""
        self.proof = self.worker_context.folder / f".{uuid.uuid4().hex}.part"
        with room(self.worker_context.folder):
            self.proof.touch()

    def muster(self) -> None:
        """Start a worker in every seat that has none, and forget those whose nodes are gone."""
        there = seats(self.ray.nodes(), self.worker_context.device, self.cores)
        for member in [each for each in self.members if each.seat not in there]:
            self.lose(member)
        taken = {each.seat for each in (*self.members, *self.starting.values())}
        for seat in there:
            if seat not in taken and self.failed.get(seat, 0) < STARTS:
                self._start(seat, sum(each.host == seat.host for each in there))

    def _start(self, seat: Seat, neighbours: int) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options = self.ray.remote(Worker).options(
            num_cpus=0 if seat.gpu else seat.cores,
            num_gpus=1 if seat.gpu else 0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(seat.node, soft=False),
        )
        member = Member(
            seat, options.remote(self.worker_context, seat.cores, neighbours, Path.cwd())
        )
        self.starting[member.actor.sees.remote(self.proof)] = member

    def started(self, told: Any) -> None:
        """Take in a worker that has told whether it sees the store, or failed to start.

        Raises CaveatError where it does not see it.
        """
        member = self.starting.pop(told)
        try:
            sees = self.ray.get(told)
        except Exception as error:  # its node went, or what it needs is not installed there
            self._kill(member)
            self.failed[member.seat] = self.failed.get(member.seat, 0) + 1
            self.reason = f"{member.seat.host}: {one_line(error)}"
            self.muster()
            return
        if not sees:
            raise CaveatError(
                f"{self.worker_context.folder}: the Ray worker on {member.seat.host} does not see "
                "this folder; name one that all nodes of the cluster share, with --out"
            )
        self.members.append(member)
        self.idle.append(member)

    def lose(self, member: Member) -> None:
        """Forget a worker that died, or whose node did."""
        self._kill(member)
        self.members.remove(member)
        if member in self.idle:
            self.idle.remove(member)

    def check(self) -> None:
        """Raise CaveatError where there is no worker, and none is coming."""
        if not self.members and not self.starting:
            raise CaveatError(
                f"executor 'ray': no worker could be started ({self.reason}); what is finished "
                "is kept: mend that and run the same command again"
            )

    def close(self) -> None:
        """Give the workers back, and leave the cluster."""
        for member in (*self.members, *self.starting.values()):
            self._kill(member)
        self.proof.unlink(missing_ok=True)
        if self.mine:
            self.ray.shutdown()

    def _kill(self, member: Member) -> None:
        with suppress(Exception):  # it may be dead already
            self.ray.kill(member.actor)


def connected() -> tuple[Any, bool]:
    """Ray, connected to a cluster, and whether it was not before.

    The cluster is that of RAY_ADDRESS, else one that runs on this machine, else a new one here.
    Raises CaveatError.
    """
    try:
        import ray
    except ImportError:
        raise CaveatError(
            "executor 'ray': Ray is not installed; install it with: "
            "pip install 'caveat[ray]', or use the executor local"
        ) from None
    if ray.is_initialized():
        return ray, False
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _check_answers(address)
    path = os.environ.get("PYTHONPATH")
    here = os.pathsep.join(str(Path(each).absolute()) for each in (path or "").split(os.pathsep))
    try:
        ray.init(
            address="auto" if address else None,
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONPATH": here}} if path else None,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _unreachable(address, error) from None
    return ray, True


def _check_answers(address: str) -> None:
    """Raises CaveatError where nobody listens there: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return  # such as "auto" or "ray://head:10001", which Ray understands
    try:
        socket.create_connection((host.strip("[]"), int(port)), WAIT).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from None


def _unreachable(address: str | None, error: BaseException) -> CaveatError:
    return CaveatError(
        f"executor 'ray': no cluster can be reached (RAY_ADDRESS={address}: "
        f"{one_line(error)}); start one with: ray start --head, on a node of it"
    )


def one_line(error: BaseException) -> str:
    """The class and the beginning of what an exception of Ray's says, which is often a page."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
