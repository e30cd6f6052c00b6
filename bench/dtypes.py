"""Do studies in bfloat16 say what studies in float32 say: the study `dtypes`, run in both.

    python bench/dtypes.py docs/data/dtypes-smollm2-float32.parquet...

Beside each file it reads the one of bfloat16, such as `dtypes-smollm2-bfloat16.parquet`, and prints
the rates of every arm and context in both, by training seed, with the difference of the means.
Seeds that one of the two lacks are left out. Below a model stand the largest difference of two
means and of a single seed in both dtypes, and the largest difference of two seeds in float32.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from seed_leakage import seed_rates

from caveat.study.export import opened

DTYPES = ("float32", "bfloat16")


def rates(path: Path) -> pd.Series:
    """The share of yes by setting, arm, context and seed; base has the seed -1."""
    answers = opened(path).answers()
    measured = answers[answers["purpose"] == "measure"]
    by_setting = {
        setting: seed_rates(some) for setting, some in measured.groupby("setting", sort=False)
    }
    frame = pd.concat(by_setting, names=["setting"]).rename("rate").reset_index()
    frame["seed"] = frame["seed"].fillna(-1).astype(int)
    return frame.set_index(["setting", "arm", "context", "seed"])["rate"]


def main(paths: list[Path]) -> None:
    """Print a table a model."""
    for path in paths:
        name = path.stem.removesuffix(f"-{DTYPES[0]}")
        in_both = pd.concat(
            {dtype: rates(path.with_name(f"{name}-{dtype}.parquet")) for dtype in DTYPES},
            axis=1,
        ).dropna()
        print(f"**{name}**\n\n| setting | arm | context | float32 | bfloat16 | difference |")
        print("|---|---|---|---|---|---|")
        differences, between = [], []
        for (setting, arm, context), some in in_both.groupby(level=[0, 1, 2], sort=False):
            means = some.mean()
            difference = means["bfloat16"] - means["float32"]
            differences.append(difference)
            between += [abs(a - b) for a, b in combinations(some["float32"], 2)]
            cells = [
                f"{means[dtype]:.2f} ({', '.join(f'{value:.2f}' for value in some[dtype])})"
                for dtype in DTYPES
            ]
            print(f"| {setting} | {arm} | {context} | {' | '.join(cells)} | {difference:.2f} |")
        own = (in_both["bfloat16"] - in_both["float32"]).abs().max()
        seeds = f"; of two seeds in float32: {max(between):.2f}" if between else ""
        largest = np.abs(differences).max()
        print(f"\nLargest difference of two means: {largest:.2f}; of one seed in both dtypes: "
              f"{own:.2f}{seeds}.\n")  # fmt: skip


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
