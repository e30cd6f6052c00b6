"""How long `caveat plan` takes for each shipped recipe. The goal: 5 seconds.

    python bench/plan.py --out plan.json            # all recipes, once
    python bench/plan.py rl demo --repetitions 3

Each plan is a process of its own, as a user starts it: imports and the loading of the model count.
Seconds are processor time, which other work on the machine lengthens less than wall time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from side_by_side import Ended, Timing, figure, process, publish, record

RECIPES = Path(__file__).parents[1] / "recipes"
GOAL = 5.0
LIMIT = 300.0
"""Seconds after which a plan is given up."""
COLUMNS = {
    "name": "recipe",
    "seconds": "processor time, s",
    "spread": "spread",
    "wall": "wall time, s",
    "peak_mb": "peak memory, MB",
    "within_goal": f"within {GOAL:g} s",
    "reason": "not planned",
}


def measured(recipe: str, repetitions: int, sets: list[str]) -> dict[str, Any]:
    """One line of the table."""
    runs: list[Ended] = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "caveat", "plan", recipe, "--out", f"{folder}/study"]
        command += [word for item in sets for word in ("--set", item)]
        for _ in range(repetitions):
            runs.append(process(command, LIMIT))
            if runs[-1].status:
                lines = runs[-1].output.strip().splitlines()
                reason = lines[-1] if runs[-1].status > 0 and lines else f"over {LIMIT:g} s"
                return figure(recipe, None, reason=reason, within_goal=None)
    taken = Timing(tuple(run.processor for run in runs))
    return figure(
        recipe,
        taken,
        wall=Timing(tuple(run.wall for run in runs)).median,
        peak_mb=max(run.peak_mb for run in runs),
        within_goal=taken.median <= GOAL,
    )


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", help="shipped recipes or files; default: all shipped")
    parser.add_argument("--set", action="append", default=[], help="as of caveat plan")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a JSON file")
    options = parser.parse_args(arguments)
    recipes = options.recipes or sorted(path.stem for path in RECIPES.glob("*.yaml"))
    figures = [measured(recipe, options.repetitions, options.set) for recipe in recipes]
    publish(record("plan", options, "cpu", figures), COLUMNS, options.out)


if __name__ == "__main__":
    main()
