"""Timings that can be compared: variants in turn in one process, medians, and the machine."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "peft")


@dataclass(frozen=True)
class Timing:
    """Seconds of one variant, one entry a repetition, in the order in which they were taken."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of the repetitions."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Longest less shortest, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median


def interleaved(
    variants: Mapping[str, Callable[[], Any]], repetitions: int, device: str = "cpu"
) -> dict[str, Timing]:
    """Time each variant once a repetition, in an order that turns by one: A B C, B C A, ...

    What disturbs the machine for a while then disturbs all of them. Warm them up beforehand.
    """
    names = list(variants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repetitions):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            seconds[name].append(timed(variants[name], device))
    return {name: Timing(tuple(some)) for name, some in seconds.items()}


def timed(work: Callable[[], Any], device: str = "cpu") -> float:
    """Seconds that it takes, with the GPU's part; its own count where it gives one."""
    import torch

    synchronise = torch.cuda.synchronize if device.startswith("cuda") else _nothing
    synchronise()
    start = time.perf_counter()
    counted = work()
    synchronise()
    return counted if isinstance(counted, float) else time.perf_counter() - start


def _nothing() -> None:
    """A CPU has nothing left to do."""


def paired(over: Timing, under: Timing) -> float:
    """How many times as long the first takes: the median of the repetitions' own ratios."""
    return statistics.median(a / b for a, b in zip(over.seconds, under.seconds, strict=True))


def machine(device: str = "cpu") -> dict[str, Any]:
    """What the figures hang on, and how busy it was when this was asked."""
    import torch

    about = {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
    if device.startswith("cuda"):
        about["gpu"] = torch.cuda.get_device_name(torch.device(device))
    return about


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((at.split(":")[1].strip() for at in lines if at.startswith("model name")), "")


def told(name: str, options: Any, device: str, figures: list[dict[str, Any]]) -> dict[str, Any]:
    """One run as a record: what was asked, when, where, and what was seen."""
    return {
        "benchmark": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": {key: str(value) for key, value in vars(options).items()},
        "machine": machine(device),
        "figures": figures,
    }


def give(record: dict[str, Any], columns: Mapping[str, str], out: Path | None) -> None:
    """Print a record as a table, and write it down where a file is named.

    Args:
        columns: Heading per field of a figure.
    """
    where = record["machine"]
    by = where.get("gpu", f"{where['threads']} threads")
    print(f"{record['benchmark']}, {record['date']}: {where['cpu']}, {by}, load {where['load']}")
    print(table(record["figures"], columns), flush=True)
    if out is not None:
        out.write_text(json.dumps(record, indent=1) + "\n")


def table(figures: list[dict[str, Any]], columns: Mapping[str, str]) -> str:
    """Figures in Markdown."""
    lines = [" | ".join(columns.values()), "|".join("---" for _ in columns)]
    lines += [" | ".join(_shown(each.get(field)) for field in columns) for each in figures]
    return "\n".join(f"| {line} |" for line in lines)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    return "" if value is None else str(value)
