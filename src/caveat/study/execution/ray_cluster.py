"""Connect to a Ray cluster, and decide which workers it gets: one per GPU, or by cores."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caveat.errors import CaveatError

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
    gpu: bool


def placements(
    nodes: Sequence[Mapping[str, Any]], device: str = "auto", cores: int | None = None
) -> list[Placement]:
    """One placement per GPU; on a cluster without GPUs one per node, or per `cores` of it.

    Args:
        nodes: As `ray.nodes()` lists them.
        device: `cpu` ignores GPUs; `cuda` requires them.
        cores: Cores of a worker without a GPU; None for all of its node.

    Raises CaveatError where no node can hold a worker.
    """
    alive = [node for node in nodes if node["Alive"]]
    on_gpus = [place for node in alive for place in _per_gpu(node)]
    if device != "cpu" and on_gpus:
        return on_gpus
    if device not in ("auto", "cpu"):
        raise CaveatError(
            f"device '{device}': the Ray cluster has no GPU ({len(alive)} nodes); "
            "use device auto or cpu"
        )
    on_cores = [place for node in alive for place in _per_cores(node, cores)]
    if not on_cores:
        required = f" with {cores} cores (worker_cores)" if cores else ""
        raise CaveatError(
            f"executor 'ray': none of the cluster's {len(alive)} nodes can hold a worker"
            f"{required}; start nodes with: ray start --address ... --num-cpus N"
        )
    return on_cores


def _per_gpu(node: Mapping[str, Any]) -> list[Placement]:
    gpus = int(node["Resources"].get("GPU", 0))
    cores = int(node["Resources"].get("CPU", 0))
    return gpus * [_placement(node, max(1, cores // max(1, gpus)), gpu=True)]


def _per_cores(node: Mapping[str, Any], cores: int | None) -> list[Placement]:
    has = int(node["Resources"].get("CPU", 0))
    size = cores or max(1, has)
    return (has // size) * [_placement(node, size, gpu=False)]


def _placement(node: Mapping[str, Any], cores: int, gpu: bool) -> Placement:
    return Placement(node["NodeID"], node["NodeManagerHostname"], cores, gpu)


def connect() -> tuple[Any, bool]:
    """The module `ray`, connected to a cluster, and whether this call connected it.

    The cluster is that of RAY_ADDRESS, else one that runs on this machine, else a new one here.
    Raises CaveatError where Ray is not installed or no cluster answers.
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
        _check_listens(address)
    path = os.environ.get("PYTHONPATH")
    absolute = os.pathsep.join(
        str(Path(entry).absolute()) for entry in (path or "").split(os.pathsep)
    )
    try:
        ray.init(
            address="auto" if address else None,
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONPATH": absolute}} if path else None,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _unreachable(address, error) from None
    return ray, True


def _check_listens(address: str) -> None:
    """Raise CaveatError where nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return  # such as "auto" or "ray://head:10001", which Ray understands
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from None


def _unreachable(address: str | None, error: BaseException) -> CaveatError:
    return CaveatError(
        f"executor 'ray': no cluster can be reached (RAY_ADDRESS={address}: "
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
