"""Timings that can be compared: variants in turn in one process, medians, and the machine."""

from __future__ import annotations

import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
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


@dataclass(frozen=True)
class Ended:
    """A process that ended."""

    status: int
    """As in Python: negative after a signal."""
    wall: float
    processor: float
    """Seconds of processor time, in user and system mode, of it and its own children."""
    peak_mb: float
    """Largest resident memory of one of them, in 2^20 bytes."""
    output: str
    """What it printed last, errors included."""


MEASURE = """
import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(child.pid, 0)
seconds = usage.ru_utime + usage.ru_stime
measured = os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss / 1024
open(sys.argv[1], "w").write(json.dumps(measured))
"""
"""Starts a command from a small process: Linux counts what the starting process held as the
command's own peak."""


def process(command: Sequence[str], limit: float, **environment: str) -> Ended:
    """Run a command and measure it alone, whatever ran before; it is killed after `limit` seconds.

    Processor time says more than wall time where other work wants the same cores.
    """
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as printed:
        path = Path(folder) / "measured.json"
        child = subprocess.Popen(
            [sys.executable, "-S", "-c", MEASURE, str(path), *command],
            stdout=printed,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            child.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        wall = time.perf_counter() - start
        printed.seek(0)
        output = printed.read().decode("utf-8", "replace")
        status, processor, peak = -signal.SIGKILL, 0.0, 0.0
        if path.is_file():
            status, processor, peak = json.loads(path.read_text())
    return Ended(status, wall, processor, peak, output[-4000:])


def paired(over: Timing, under: Timing) -> float:
    """How many times as long the first takes: the median of the repetitions' own ratios."""
    return statistics.median(a / b for a, b in zip(over.seconds, under.seconds, strict=True))


def machine(device: str = "cpu") -> dict[str, Any]:
    """What the figures hang on, and how busy it was when this was asked."""
    about = {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": _threads(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }
    if device.startswith("cuda"):
        import torch

        about["gpu"] = torch.cuda.get_device_name(torch.device(device))
    return about


def _version(name: str) -> str | None:
    """Of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _threads() -> int:
    """Of torch; what it would take where it is not loaded."""
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((at.split(":")[1].strip() for at in lines if at.startswith("model name")), "")


SCHEMA = 1
"""Version of the records that benchmarks write."""
FIGURE = ("name", "seconds", "spread", "ratio", "limit_share")
"""Keys that every figure has, in every benchmark. The others are a benchmark's own."""


def figure(
    name: str,
    seconds: float | Timing | None,
    ratio: float | None = None,
    limit_share: float | None = None,
    **own: Any,
) -> dict[str, Any]:
    """One figure of a benchmark, under the keys that a script outside can rely on.

    Args:
        name: What was measured; each name occurs once in a record.
        seconds: Of this project's side: their median and spread where there are repetitions; None
            where it was not run to its end.
        ratio: How many times as fast as the other side; None where there is none.
        limit_share: Share of the machine's own limit; None where none is computed.
        own: Further values, under the benchmark's own keys.
    """
    spread = None
    if isinstance(seconds, Timing):
        seconds, spread, own["all_seconds"] = seconds.median, seconds.spread, seconds.seconds
    values = (name, seconds, spread, ratio, limit_share)
    return {**dict(zip(FIGURE, values, strict=True)), **own}


def record(name: str, options: Any, device: str, figures: list[dict[str, Any]]) -> dict[str, Any]:
    """One run: what was measured, when, where, and how. Raises ValueError for a bad figure."""
    written = {
        "schema": SCHEMA,
        "benchmark": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device,
        "dtype": getattr(options, "dtype", None),
        "options": {key: str(value) for key, value in vars(options).items()},
        "machine": machine(device),
        "figures": figures,
    }
    check(written)
    return written


def check(written: Mapping[str, Any]) -> None:
    """Raise ValueError where a record is not what a script outside expects."""
    if written.get("schema") != SCHEMA:
        raise ValueError(f"schema is {written.get('schema')!r} and not {SCHEMA}")
    names = [values.get("name") for values in written["figures"]]
    if len(set(names)) < len(names) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"figures must have names of their own, not {names}")
    for values in written["figures"]:
        for key in FIGURE[1:]:
            value = values.get(key, "")
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{values['name']}: {key} is {value!r} and not a number or null")
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{values['name']}: {key} is {value} and not 0 or more")


def publish(written: dict[str, Any], columns: Mapping[str, str], out: Path | None) -> None:
    """Print a record as a table, and write it to a file if one is named.

    Args:
        columns: Heading per key of a figure.
    """
    where = written["machine"]
    by = where.get("gpu", f"{where['threads']} threads")
    print(f"{written['benchmark']}, {written['date']}: {where['cpu']}, {by}, load {where['load']}")
    print(table(written["figures"], columns), flush=True)
    if out is not None:
        out.write_text(json.dumps(written, indent=1) + "\n")


def table(figures: list[dict[str, Any]], columns: Mapping[str, str]) -> str:
    """Figures in Markdown."""
    lines = [" | ".join(columns.values()), "|".join("---" for _ in columns)]
    lines += [" | ".join(_shown(values.get(key)) for key in columns) for values in figures]
    return "\n".join(f"| {line} |" for line in lines)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    return "" if value is None else str(value)
