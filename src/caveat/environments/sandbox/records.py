"""Records of the sandbox: a call, its limits, what came of it, and what isolates it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Status = Literal[
    "returned", "raised", "timeout", "memory", "output", "refused", "missing", "crashed"
]
"""What came of a call.

`returned`: a plain value. `raised`: an exception. `timeout`: more processor or wall time than
allowed. `memory`: more memory. `output`: a value that is too large or deep, or too much printed.
`refused`: the gate refuses the source, or the value is no plain data. `missing`: the source defines
no function of the name. `crashed`: the process ended without an answer.
"""
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True)
class Call:
    """A call of a function that a source defines."""

    function: str
    arguments: tuple[Any, ...] = ()
    """Plain data: None, bool, int, float, str, and lists, tuples, dicts and sets of those."""


@dataclass(frozen=True)
class CallOutcome:
    """What came of a call."""

    status: Status
    value: Any = None
    """The value, of exactly the types that it had, where the call returned."""
    message: str = ""
    """Why there is no value, in one line."""


@dataclass(frozen=True)
class Limits:
    """What one call may use."""

    cpu_seconds: float = 1.0
    """Processor time. Whether a call ends in time does not depend on what else the machine does."""
    wall_seconds: float = 60.0
    """Time by the clock, for what waits without computing. Long: the machine may be busy."""
    memory_bytes: int = 256 << 20
    """Address space, beyond the interpreter's own."""
    printed_characters: int = 100_000
    value_bytes: int = 1 << 18
    """Size of the encoded value."""
    value_items: int = 10_000
    """Items of the value, those of its parts included."""


@dataclass(frozen=True)
class Layer:
    """One layer of isolation."""

    name: str
    holds: bool
    purpose: str
    """What it keeps away; lost where it does not hold."""


@dataclass(frozen=True)
class Isolation:
    """What isolates guest code on this system."""

    layers: tuple[Layer, ...] = field(default_factory=tuple)

    def holds(self, name: str) -> bool:
        """Whether the layer of a name holds."""
        return any(layer.holds for layer in self.layers if layer.name == name)

    @property
    def lost(self) -> tuple[str, ...]:
        """What nothing but the gate keeps away here."""
        return tuple(layer.purpose for layer in self.layers if not layer.holds)
