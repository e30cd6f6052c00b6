"""Connect to a Ray cluster, and decide which workers it gets: by GPU, by node, or by cores."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from caveat.errors import CaveatError
from caveat.study.config.schema import RayRecipe

CONNECT_TIMEOUT = 10.0
"""Seconds in which a cluster must accept a connection."""


@dataclass(frozen=True)
class Placement:
    """The part of a node that one worker has for itself."""

    node: str
    """The node's id in the cluster."""
    host: str
    cores: int
    """Threads that the worker computes with."""
    gpus: float = 0.0
    """Part of a GPU that it has; 0 computes on the CPU."""


def placements(
    nodes: Sequence[Mapping[str, Any]], device: str = "auto", workers: RayRecipe | None = None
) -> list[Placement]:
    """The workers that a cluster can hold, at most `workers.workers` of them.

    Their order goes around the nodes, so that a few workers are on many.

    Args:
        nodes: As `ray.nodes()` lists them.
        device: `cpu` ignores GPUs; `cuda` requires them.

    Raises CaveatError where no node can hold a worker.
    """
    workers = workers or RayRecipe()
    alive = [node for node in nodes if node["Alive"]]
    has_gpus = any(node["Resources"].get("GPU", 0) for node in alive)
    if device != "cpu" and (has_gpus or workers.gpus):
        by_node = [_per_gpu(node, workers) for node in alive]
    elif device in ("auto", "cpu"):
        by_node = [_per_cores(node, workers.cores) for node in alive]
    else:
        raise CaveatError(
            f"device '{device}': the Ray cluster has no GPU ({len(alive)} nodes); "
            "use device auto or cpu"
        )
    places = [place for round_ in zip_longest(*by_node) for place in round_ if place]
    if not places:
        raise _no_place(len(alive), device, workers)
    return places[: workers.workers]


def _no_place(nodes: int, device: str, workers: RayRecipe) -> CaveatError:
    wanted = [
        *([f"{workers.gpus:g} GPUs (ray.gpus)"] if workers.gpus and device != "cpu" else []),
        *([f"{workers.cores} cores (ray.cores)"] if workers.cores else []),
    ]
    required = f" with {' and '.join(wanted)}" if wanted else ""
    option = "--num-gpus N" if workers.gpus and device != "cpu" else "--num-cpus N"
    return CaveatError(
        f"executor 'ray': none of the cluster's {nodes} nodes can hold a worker{required}; "
        f"start nodes with: ray start --address ... {option}"
    )


def _per_gpu(node: Mapping[str, Any], workers: RayRecipe) -> list[Placement]:
    gpus, cores = _resources(node)
    share = workers.gpus or 1.0
    count = int(gpus) * int(1 / share)  # a worker has its part of one GPU, not of two
    if workers.cores is not None:
        count = min(count, cores // workers.cores)
    own = workers.cores or max(1, cores // max(1, count))
    return count * [_placement(node, own, share)]


def _per_cores(node: Mapping[str, Any], cores: int | None) -> list[Placement]:
    _, has = _resources(node)
    size = cores or max(1, has)
    return (has // size) * [_placement(node, size, 0.0)]


def _resources(node: Mapping[str, Any]) -> tuple[float, int]:
    """A node's GPUs and CPU cores."""
    return node["Resources"].get("GPU", 0.0), int(node["Resources"].get("CPU", 0))


def _placement(node: Mapping[str, Any], cores: int, gpus: float) -> Placement:
    return Placement(node["NodeID"], node["NodeManagerHostname"], cores, gpus)


def connect(address: str | None = None) -> tuple[Any, bool]:
    """The module `ray`, connected to a cluster, and whether this call connected it.

    The cluster is that of the address, else of RAY_ADDRESS, else one that runs on this machine,
    else a new one here. Raises CaveatError where Ray is not installed or no cluster answers.
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
    source = "ray.address" if address else "RAY_ADDRESS"
    address = address or os.environ.get("RAY_ADDRESS")
    named = f"{source}={address}"
    if address:
        _check_listens(address, named)
    path = os.environ.get("PYTHONPATH")
    absolute = os.pathsep.join(
        str(Path(entry).absolute()) for entry in (path or "").split(os.pathsep)
    )
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONPATH": absolute}} if path else None,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _unreachable(named, error) from None
    return ray, True


def _check_listens(address: str, named: str) -> None:
    """Raise CaveatError where nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return  # such as "auto" or "ray://head:10001", which Ray understands
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(named, error) from None


def _unreachable(named: str, error: BaseException) -> CaveatError:
    return CaveatError(
        f"executor 'ray': no cluster can be reached ({named}: "
        f"{one_line(error)}); start one with: ray start --head, on a node of it"
    )


def one_line(error: BaseException) -> str:
    """Class and first 300 characters of an exception, since messages of Ray are often a page.

    Of a worker that could not start, the last line: it is the exception that stopped it.
    """
    text = str(error).strip()
    if getattr(error, "actor_init_failed", False):
        text = text.rpartition("\n")[2]
    return f"{type(error).__name__}: {' '.join(text.split())[:300]}"
