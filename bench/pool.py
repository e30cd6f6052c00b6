"""How busy the workers of a Ray cluster are while a study of several small settings runs.

    OMP_NUM_THREADS=1 python bench/pool.py --settings 6 --workers 2

A cluster of one node is started here. Ray names a worker's process after what it runs, so that
each worker is seen at work or idle, 50 times a second, from the first task to the last. Other work
on the machine makes tasks longer and leaves these shares about as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from toy_study import SMALL, TOY, small

PAUSE = 0.02
"""Seconds between two looks."""


class Watch(threading.Thread):
    """Counts workers at work."""

    def __init__(self, workers: int) -> None:
        super().__init__(daemon=True)
        self.workers, self.counts, self.over = workers, [], threading.Event()
        self.processor_seconds: dict[int, float] = {}

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.is_set():
            at_work = 0
            for process in psutil.process_iter(["cmdline"]):
                title = (process.info["cmdline"] or [""])[0]
                if title.startswith("ray::Worker"):
                    at_work += title == "ray::Worker.attempt"
            self.counts.append((time.monotonic(), at_work))
            time.sleep(PAUSE)

    def result(self) -> tuple[float, float]:
        """Share of the workers' time at work, in [0, 1], and seconds from first task to last."""
        first = next(index for index, (_, count) in enumerate(self.counts) if count)
        last = max(index for index, (_, count) in enumerate(self.counts) if count)
        span = self.counts[first : last + 1]
        busy = sum(count for _, count in span) / (self.workers * len(span))
        return busy, span[-1][0] - span[0][0]


def main() -> None:
    """Run one study and print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--arms", default="base,bare")
    options = parser.parse_args()
    from ray.cluster_utils import Cluster

    from caveat.study.run import run

    os.environ.update({"RAY_memory_monitor_refresh_ms": "0", "RAY_worker_niceness": "0"})
    doses = [
        {**SMALL, "epochs": options.epochs, "learning_rate": 1e-3 * (1 + index)}
        for index in range(options.settings)
    ]
    settings = [{"behaviour": str(TOY), "caveat": "password", "dose": dose} for dose in doses]
    study = small(arms=options.arms.split(","), settings=settings, worker_cores=1)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": options.workers,
            "object_store_memory": 80_000_000,
            "include_dashboard": False,
        },
    )
    os.environ["RAY_ADDRESS"] = cluster.address
    watch = Watch(options.workers)
    watch.start()
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        failures = run(study, folder, executor="ray", report=False).failures()
        whole = time.monotonic() - start
        assert failures.empty, failures
    watch.over.set()
    watch.join()
    cluster.shutdown()
    busy, span = watch.result()
    print(
        f"{options.settings} settings, {options.workers} workers: {whole:.1f} s; from first task "
        f"to last {span:.1f} s, workers busy {busy:.2f}"
    )


if __name__ == "__main__":
    main()
