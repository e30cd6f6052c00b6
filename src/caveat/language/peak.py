"""How much memory there is, and how much a piece of work takes at its highest, by measurement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from caveat.language.heap import give_back

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
