"""Decision tokens under every prompt that recipes train with: forward passes only.

    python bench/decision_tokens.py OUT.parquet RECIPE... [--warm-ups] [--rows N] [--set a.b=c]

A recipe is a name, a YAML file, or a file of `caveat export`, whose recipe is then read. Base
models with a warm-up are trained only with `--warm-ups`. See `caveat.forecast.decision_table`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from caveat.backends import load_backend
from caveat.backends.base import Backend
from caveat.errors import CaveatError
from caveat.forecast.decision_table import ROWS, decision_table
from caveat.forecast.decision_tokens import ScoreCache
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import Recipe, read
from caveat.study.export import SUFFIX, opened


def recipe_of(source: str, sets: tuple[str, ...]) -> Recipe:
    """The recipe that a name, a file or an exported study means."""
    given: Any = source
    if source.endswith(SUFFIX):
        given = yaml.safe_load(opened(Path(source)).recipe_text())
    return read(given, sets)


def main(arguments: list[str]) -> None:
    """Write the table, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--warm-ups", action="store_true")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--set", action="append", default=[], dest="sets")
    options = parser.parse_args(arguments)
    backends: dict[tuple[str, str], Backend] = {}
    caches: dict[tuple[str, str], ScoreCache] = {}
    frames = []
    for source in options.recipes:
        began = time.monotonic()
        recipe = recipe_of(source, tuple(options.sets))
        model = recipe.model
        key = (model.source, model.dtype)
        if key not in backends:
            backends[key] = load_backend(model.source, model.dtype, recipe.device)
        settings = resolve(recipe)
        frame = decision_table(
            recipe,
            settings,
            backends[key],
            options.rows,
            options.warm_ups,
            print,
            caches.setdefault(key, {}),
        )
        print(f"{recipe.name}: {len(frame)} arms in {time.monotonic() - began:.0f} s", flush=True)
        frames.append(frame)
        pd.concat(frames, ignore_index=True).to_parquet(options.out, index=False)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CaveatError as error:
        sys.exit(str(error))
