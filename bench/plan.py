"""How long `caveat plan` takes for each shipped recipe. The goal: 5 seconds.

    python bench/plan.py --out plan.json            # all recipes, once
    python bench/plan.py rl demo --repetitions 3

Each plan is a process of its own, as a user starts it: imports count. Without them, it is what the
same process took after all modules were there. Seconds are processor time, which other work on the
machine lengthens less than wall time. The first plan of a model on a machine loads it: it is done
once more, and that is what counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from side_by_side import Ended, Timing, figure, process, publish, record

RECIPES = Path(__file__).parents[1] / "recipes"
GOAL = 5.0
LIMIT = 300.0
"""Seconds after which a plan is given up."""
LOADED = "the model was loaded"
COLUMNS = {
    "name": "recipe",
    "seconds": "processor time, s",
    "spread": "spread",
    "without_imports": "without imports, s",
    "wall": "wall time, s",
    "peak_mb": "peak memory, MB",
    "within_goal": f"within {GOAL:g} s",
    "reason": "not planned",
}


def measured(recipe: str, repetitions: int, sets: list[str]) -> dict[str, Any]:
    """One line of the table."""
    runs: list[Ended] = []
    has_loaded = False
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, recipe, "--inside", f"{folder}/study"]
        command += [word for item in sets for word in ("--set", item)]
        while len(runs) < repetitions:
            ended = process(command, LIMIT)
            lines = ended.output.strip().splitlines()
            if ended.status:
                reason = lines[-1] if ended.status > 0 and lines else f"over {LIMIT:g} s"
                return figure(recipe, None, reason=reason, within_goal=None)
            if not (is_first := lines[-1] == LOADED) or has_loaded:
                runs.append(ended)
            has_loaded = has_loaded or is_first
    taken = Timing(tuple(run.processor for run in runs))
    inside = Timing(tuple(float(run.output.strip().splitlines()[-2]) for run in runs))
    return figure(
        recipe,
        taken,
        without_imports=inside.median,
        wall=Timing(tuple(run.wall for run in runs)).median,
        peak_mb=max(run.peak_mb for run in runs),
        within_goal=taken.median <= GOAL,
    )


def plan(recipe: str, folder: Path, sets: list[str]) -> None:
    """Do what `caveat plan` does, and print the seconds after its imports."""
    import transformers.tokenization_utils_tokenizers  # noqa: F401

    import caveat.cli
    from caveat.cli.console import console, plan_table
    from caveat.study.estimate.plan_cost import plan_cost

    start = time.process_time()
    try:
        console().print(plan_table(plan_cost(recipe, folder, sets)))
    except caveat.CaveatError as error:
        raise SystemExit(str(error)) from None
    print(time.process_time() - start)
    print(LOADED if "torch" in sys.modules else "no model was loaded")


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", help="shipped recipes or files; default: all shipped")
    parser.add_argument("--set", action="append", default=[], help="as of caveat plan")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a JSON file")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.inside is not None:
        plan(options.recipes[0], options.inside, options.set)
        return
    recipes = options.recipes or sorted(path.stem for path in RECIPES.glob("*.yaml"))
    figures = [measured(recipe, options.repetitions, options.set) for recipe in recipes]
    publish(record("plan", options, "cpu", figures), COLUMNS, options.out)


if __name__ == "__main__":
    main()
