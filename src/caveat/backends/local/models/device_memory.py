"""Free and peak memory, tokens and adapters that fit, OOM detection.

The C library's heap: what a tensor leaves is kept for the next one, and given back when asked.

A page that was given back costs a fault when it is wanted again, and training on the CPU lets go of
most of what it takes at every layer. Where the C library is not glibc, nothing is done.

How much memory there is, and how much a piece of work takes at its highest, by measurement.

Memory: how much is read at once, how many adapters share it, and noticing that it has run out.

What a pass takes is measured once a kind of training, at a step that is cut small for that. What an
adapter takes is counted: it is known to the byte.
"""

from __future__ import annotations

import ctypes
import gc
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

MMAP_THRESHOLD = -3
TRIM_THRESHOLD = -1
"""Parameters of glibc's `mallopt`, as its malloc.h numbers them."""
LARGEST = (1 << 30, 1 << 25)
"""Bytes of a piece of memory that is kept, where a larger one is given back at once; before glibc
2.35 the second is the most that may be asked for."""
KEPT = (1 << 31) - 1
"""Bytes free at the top of the heap beyond which they are given back, as many as the parameter can
say. What is free beneath something in use stays in any case."""


def keep() -> bool:
    """From now on, keep in this process what is free; gives whether that could be asked for."""
    large = any(_asked("mallopt", MMAP_THRESHOLD, size) for size in LARGEST)
    return large and bool(_asked("mallopt", TRIM_THRESHOLD, KEPT))


def give_back() -> bool:
    """Give back what is free now; gives whether that could be asked for."""
    return _asked("malloc_trim", 0) is not None


def _asked(name: str, *values: int) -> int | None:
    try:
        return int(getattr(ctypes.CDLL(None), name)(*values))
    except (AttributeError, OSError, TypeError):  # not glibc
        return None


CGROUPS = Path("/sys/fs/cgroup")
PROCESS = Path("/proc/self")
FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of a control group, versions 2 and 1: its limit, what is used, and what of that can be let go."""


_processes = 1


def share_with(processes: int) -> None:
    """From now on take this process for one of so many that share the machine's memory."""
    global _processes  # noqa: PLW0603
    _processes = processes


def free(device: torch.device) -> int:
    """Bytes that can be had on a device; on the CPU within the limit of the container, too, and
    without what this process keeps (see `heap`)."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    import psutil

    return min([psutil.virtual_memory().available, *_left_in_groups()]) // _processes


class Peak:
    """What memory was taken at the highest while a context lasted, above what was held before.

    On a GPU torch's own count. On Linux the process's resident memory, whose highest mark can be
    set back; elsewhere it can only be seen to rise above all that was before.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.before = 0
        """Bytes held when the context began."""
        self.taken: int | None = None
        """Bytes, once the context has ended well; None where it cannot be told."""

    def __enter__(self) -> Peak:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            before: int | None = torch.cuda.memory_allocated(self.device)
        else:
            before = _resident_from_now_on()
        self._is_told, self.before = before is not None, before or 0
        return self

    def __exit__(self, kind: object, *reason: object) -> None:
        if kind is not None or not self._is_told:
            return
        if self.device.type == "cuda":
            highest = torch.cuda.max_memory_allocated(self.device)
        else:
            highest = _status("VmHWM")
        self.taken = max(0, highest - self.before)


def _resident_from_now_on() -> int | None:
    """Resident bytes, all that is free given back, and the highest mark set to them."""
    if not give_back():
        return None
    try:
        (PROCESS / "clear_refs").write_text("5")
        return _status("VmRSS")
    except (OSError, KeyError):  # no Linux
        return None


def _status(name: str) -> int:
    lines = (PROCESS / "status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[name].split()[0]) * 1024


def _left_in_groups() -> Iterator[int]:
    """What this process's control group, and each above it, leaves."""
    try:
        lines = (PROCESS / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds not in ("", "memory"):
            continue
        place = CGROUPS / kinds / path.lstrip("/")
        for each in (place, *place.parents):
            yield from _left_in(each)
            if each == CGROUPS:
                break


def _left_in(group: Path) -> Iterator[int]:
    for limit, used, inactive in FILES:
        try:
            most, now = (int((group / name).read_text()) for name in (limit, used))
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # "max" is no limit
            continue
        yield max(0, most - now + int(stat.get(inactive, 0)))


TOKEN_BUDGET = 1536
"""Padded tokens of a pass that is not measured: for the inner products of a forecast; and, twice as
many, where no gradients are kept."""
MOST_TOKENS = {"cpu": 1536, "cuda": 16384}
"""Padded tokens of one pass beyond which no speed is gained, by kind of device."""
LOGITS = {"cpu": 1 << 24, "cuda": 1 << 27}
"""In memory together where the head is computed in chunks, by kind of device: few, and yet enough
for a fast product."""
FIRST_TOKENS = 512
"""Of the pass that is measured; where even that does not fit, it is halved."""
MOST_ADAPTERS = {"cpu": 8, "cuda": 32}
"""Adapters of one group beyond which no speed is gained, by kind of device."""
SHARE = 0.65
"""Of the free memory that is taken; the rest is for what comes and goes."""
ADAPTERS_SHARE = 0.5
"""Of what is taken, the most that the adapters of a group have; activations have the rest."""
SAID_BY_TORCH = ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch's allocators say in a plain RuntimeError."""


@dataclass(frozen=True)
class Pass:
    """A pass whose memory was measured."""

    tokens: int
    """Padded."""
    bytes: int | None
    """Taken at the highest, all it brought into being included; None where that is not known."""


def most_tokens(device: torch.device) -> int:
    """Padded tokens of a pass where memory does not matter."""
    return MOST_TOKENS.get(device.type, FIRST_TOKENS)


def logits_at_once(device: torch.device) -> int:
    """Logits of one chunk of the head."""
    return LOGITS.get(device.type, LOGITS["cpu"])


def affordable_tokens(taken: int | None, tokens: int, device: torch.device) -> int:
    """Padded tokens of a pass that memory allows, given what one took at its highest.

    Args:
        taken: Bytes of the pass, all it brought into being included; None where not known.
        tokens: Padded tokens of that pass.
    """
    most = most_tokens(device)
    if taken is None:
        return most
    wanted = taken * most / tokens / SHARE
    if free(device) < wanted:
        give_back()
    return max(1, min(most, int(SHARE * free(device) * tokens / max(taken, 1))))


def adapter_bytes(free_bytes: int) -> float:
    """Of the free memory, what the adapters of a group may take in training."""
    return ADAPTERS_SHARE * SHARE * free_bytes


def layer_weights(model: Any) -> tuple[int, ...]:
    """Per decoder layer, the weights of an adapter of rank 1 of all its linear layers."""
    return tuple(
        sum(
            module.in_features + module.out_features
            for module in layer.modules()
            if isinstance(module, torch.nn.Linear)
        )
        for layer in model.get_decoder().layers
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the CPU or on a GPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in SAID_BY_TORCH)


def release() -> None:
    """Give back what the failed attempt held."""
    gc.collect()
    give_back()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def hardware(device: torch.device) -> str:
    """The processor that a device computes with, such as `AMD EPYC 7B13, 16 threads`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    """Model of the CPU: on Linux its marketing name, elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
