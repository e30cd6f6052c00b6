"""Seats of workers on a Ray cluster: one a GPU, or one a node, or one a share of its cores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caveat.errors import CaveatError


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
