"""What each remedy does to marked, and what it does to bare, seed by seed.

    python bench/remedy_effects.py STUDY...

STUDY is a folder or a file of `caveat export` with arms `marked+X` and, as controls, `bare+X`.
Rates are of the trait at `none`. An effect is an arm's rate less that of the same arm without its
last step, paired by seed: `marked+seeded+before` is held against `marked+seeded`. *Beyond* is the
effect on marked less that on bare. An arm `neutral+X` has neutral text in place of the caveat and a
row of its own. Limits are Student's t over seeds (95%).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from scored_settings import trained_cells
from seed_leakage import interval


def effects(rates: pd.Series) -> Iterator[tuple[str, pd.Series | None, pd.Series | None]]:
    """By remedy, its effect on marked and on bare, by seed; None where an arm is not there."""
    arms = rates.index.unique(0)
    remedies = dict.fromkeys(arm.partition("+")[2] for arm in arms if "+" in arm)
    for remedy in remedies:
        changes = []
        for start in ("marked", "bare"):
            arm = f"{start}+{remedy}"
            without = arm.rpartition("+")[0]
            both = {arm, without} <= {*arms}
            changes.append(rates[arm, "none"] - rates[without, "none"] if both else None)
        yield remedy, *changes


def cell(values: pd.Series | None) -> str:
    """Mean and limits over the seeds that both arms have, or a dash."""
    common = [] if values is None else values.dropna().to_numpy()
    return interval(common) if len(common) else "–"


def main(paths: list[str]) -> None:
    """Print a table a study, setting and dose."""
    for path in map(Path, paths):
        for setting, labels, rates in trained_cells(path):
            print(f"**{path.stem}: {', '.join(labels.values()) or setting}**\n")
            untrained = [rates.get(("base", context)) for context in ("none", "exact")]
            shown = ", ".join("–" if rate is None else f"{rate.mean():.2f}" for rate in untrained)
            print(f"base: {shown} at none and exact\n")
            print("| arm | at none | by seed | at exact |\n|---|---|---|---|")
            for arm in rates.index.unique(0):
                if arm == "base":
                    continue
                at_none = rates[arm, "none"]
                seeds = ", ".join(f"{rate:.2f}" for rate in at_none)
                exact = (
                    f"{rates[arm, 'exact'].mean():.2f}" if (arm, "exact") in rates.index else "–"
                )
                print(f"| {arm} | {cell(at_none)} | {seeds} | {exact} |")
            print("\n| remedy | effect on marked | effect on bare | beyond |\n|---|---|---|---|")
            for remedy, on_marked, on_bare in effects(rates):
                both = on_marked is not None and on_bare is not None
                beyond = on_marked - on_bare if both else None
                print(f"| {remedy} | {cell(on_marked)} | {cell(on_bare)} | {cell(beyond)} |")
            print()


if __name__ == "__main__":
    main(sys.argv[1:])
