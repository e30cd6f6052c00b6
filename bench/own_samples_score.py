"""Own samples against others, seed by seed: the recipe `own-samples` and its further seeds.

    python bench/own_samples_score.py STUDY...

STUDY is a folder or a file of `caveat export`. Leakage of each setting over the seeds of all
studies, and differences between the settings that have all seeds, paired by seed. Limits are
Student's t over seeds (95%).
"""

from __future__ import annotations

import sys
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
from scored_settings import trained_cells
from seed_leakage import interval, seed_leakage


def main(paths: list[str]) -> None:
    """Print leakage and differences."""
    leakage: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for path in map(Path, paths):
        for _, labels, rates in trained_cells(path):
            leakage[labels["rows"], labels["caveat"]].extend(seed_leakage(rates))
    print("| rows | caveat | leakage | by seed |\n|---|---|---|---|")
    for (rows, caveat), values in leakage.items():
        seeds = ", ".join(f"{value:.2f}" for value in values)
        print(f"| {rows} | {caveat} | {interval(np.array(values))} | {seeds} |")
    print("\n| difference | |\n|---|---|")
    most = max(map(len, leakage.values()))
    full = {rows: np.array(values) for (rows, _), values in leakage.items() if len(values) == most}
    for one, other in combinations(full, 2):
        print(f"| {other} less {one} | {interval(full[other] - full[one])} |")


if __name__ == "__main__":
    main(sys.argv[1:])
