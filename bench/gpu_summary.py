"""The figures of all parts of `bench/gpu.sh` as one record.

    python bench/gpu_summary.py gpu-results --device cuda --dtype bfloat16

Reads DIR/parts and writes DIR/gpu.json: first one figure for each part (how it ended, and after how
many seconds), then those of each part's own JSON under "PART: NAME".
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from side_by_side import check, figure, publish, record

PARTS = ("install", "equality", "training", "sampling", "grpo", "demo", "study")
COLUMNS = {
    "name": "part",
    "state": "state",
    "seconds": "seconds",
    "ratio": "times the other side",
    "limit_share": "of the limit",
    "passed": "tests passed",
    "failed": "failed",
}


def figures(folder: Path) -> list[dict[str, Any]]:
    """Of all parts that were begun, in their order. Raises ValueError for a damaged record."""
    parts, own = [], []
    for name in PARTS:
        path = folder / f"{name}.state"
        if not path.is_file():
            continue
        state, seconds, limit, note = path.read_text().strip().split(" ", 3)
        counts = tests(folder / f"{name}.xml")
        taken = None if state == "skipped" else float(seconds)
        parts.append(figure(name, taken, state=state, limit=float(limit), note=note, **counts))
        results = folder / f"{name}.json"
        if state == "done" and results.is_file():
            written = json.loads(results.read_text())
            check(written)
            own += [
                {**values, "name": f"{name}: {values['name']}", "state": state}
                for values in written["figures"]
            ]
    return [*parts, *own]


def tests(path: Path) -> dict[str, int]:
    """How many tests passed and failed; nothing where none were run."""
    if not path.is_file():
        return {}
    suite = next(ElementTree.parse(path).getroot().iter("testsuite"))
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    return {"passed": total - failed - skipped, "failed": failed}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    options = parser.parse_args(arguments)
    written = record("gpu", options, options.device, figures(options.folder / "parts"))
    publish(written, COLUMNS, options.folder / "gpu.json")


if __name__ == "__main__":
    main()
