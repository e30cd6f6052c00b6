"""What the study and the sandbox's process write to each other, and what layers there are."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict

from caveat.environments.sandbox.records import Isolation, Layer, Limits

HEAD = struct.Struct("!dII")
"""A request: wall seconds, most bytes of the answer, bytes of the body."""
ANSWER = struct.Struct("!iBI")
"""An answer: exit status as of waitpid, how the fork ended, bytes of the body."""
LENGTH = struct.Struct("!I")
"""Before the list of layers, which comes first."""
ENDED, LATE, LONG, LARGE = range(4)
"""By itself, or ended for its time, the length of its answer, its memory."""

PURPOSES = {
    "gate": "ordinary Python only: no imports beyond a list, no way from values to the interpreter",
    "process": "a process of its own for each call, with its own session and no open files",
    "limits": "limits of time, files and processes that the kernel enforces",
    "memory limit": "a limit of memory that the kernel enforces; without it, memory is looked at",
    "no new privileges": "no program can give more rights",
    "user without rights": "a user namespace, or nobody where the study runs as root",
    "network namespace": "no network",
    "process namespace": "no other process can be seen; what is left over is ended",
    "empty root": "no file of this system can be seen",
    "seccomp": "system calls for computing only: no files, sockets, processes, threads, signals",
}
"""The layers, and what each gives."""
FLOOR = ("gate", "process", "limits")
"""Layers without which nothing runs."""
EACH_CALL = ("process", "limits", "memory limit", "seccomp")
"""Layers that a fork must have if the process promised them: without them it runs nothing."""


def request_body(
    source: str, call: dict[str, str] | None, limits: Limits, gate: bool, layers: Sequence[str]
) -> bytes:
    """The body of a request. Without a call the source is only read."""
    promised = [layer for layer in EACH_CALL if layer in layers]
    return json.dumps(
        {"source": source, "call": call, "limits": asdict(limits), "gate": gate, "layers": promised}
    ).encode()


def isolation_of(layers: Sequence[str]) -> Isolation:
    """What isolates guest code, by the layers that a process reported."""
    return Isolation(
        tuple(Layer(name, name in layers, purpose) for name, purpose in PURPOSES.items())
    )
