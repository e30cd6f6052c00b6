"""What is left of leakage after a warm-up of each kind: the recipes `warm-ups` and `obedience`.

    python bench/warm_ups.py STUDY...

STUDY is a folder or a file of `caveat export`. Rates of base, bare and marked for each warm-up, by
its kind and seed, in the mean over the seeds of the arms. Leakage is left out, with the reason,
where base shows the trait at `none` in half of its replies or more, as was registered, and where
bare does not show it in half. Below, the mean over warm-ups of each kind, with Student's t limits
over their seeds (95%), and of how many leakage is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scored_settings import trained_cells
from seed_leakage import interval, seed_leakage

HALF = 0.5
"""Most of base's rate at `none`, and least of bare's, for leakage to be defined."""
KIND_FACTORS = ("warm_up", "counter_rows")
SEED = "warm_up_seed"
RATES = (
    ("base", "none"), ("base", "exact"), ("bare", "none"), ("marked", "none"), ("marked", "exact"),
)  # fmt: skip


def warm_ups(path: Path) -> pd.DataFrame:
    """One row a warm-up: its kind and seed, rates by arm and context, leakage or nan."""
    rows = []
    for _, factors, rates in trained_cells(path):
        own = {name: rates[name].mean() for name in RATES}
        reason = undefined(own["base", "none"], own["bare", "none"])
        rows.append(
            {
                "kind": next(factors[name] for name in KIND_FACTORS if name in factors),
                "seed": factors[SEED],
                **own,
                "leakage": np.nan if reason else seed_leakage(rates).mean(),
                "undefined": reason,
            }
        )
    return pd.DataFrame(rows)


def undefined(base: float, bare: float) -> str:
    """Why leakage is not defined at these rates at `none`; "" where it is."""
    if base >= HALF:
        return "base shows it"
    return "" if bare >= HALF else "bare does not"


def line(kind: str, seed: str, values: list[str]) -> str:
    """A row of the table."""
    return f"| {kind} | {seed} | " + " | ".join(values) + " |"


def main(paths: list[str]) -> None:
    """Print the warm-ups of each study, and their means by kind."""
    for path in map(Path, paths):
        table = warm_ups(path)
        names = " | ".join(f"{arm} at {context}" for arm, context in RATES)
        print(f"**{path.stem}**\n")
        print(f"| warm-up | its seed | {names} | leakage |")
        print("|---|---|" + "---|" * (len(RATES) + 1))
        for row in table.to_dict("records"):
            leakage = row["undefined"] or f"{row['leakage']:.2f}"
            print(line(row["kind"], row["seed"], [*(f"{row[at]:.2f}" for at in RATES), leakage]))
        for kind, some in table.groupby("kind", sort=False):
            if len(some) > 1:
                defined = some["leakage"].dropna().to_numpy()
                leakage = f"{interval(defined)} (of {len(defined)})" if len(defined) else "–"
                rates = [interval(some[at].to_numpy()) for at in RATES]
                print(line(f"**{kind}**", f"mean of {len(some)}", [*rates, leakage]))
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
