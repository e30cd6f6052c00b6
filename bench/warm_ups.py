"""What is left of leakage after a warm-up of each kind: the recipes `warm-ups` and `obedience`.

    python bench/warm_ups.py STUDY...

STUDY is a folder or a file of `caveat export`. Rates of base, bare and marked for each warm-up, by
its kind and seed, in the mean over the seeds of the arms. Leakage is left out where base shows the
trait at `none` in half of its replies or more, as was registered: nothing is to be installed then.
Below, the mean over warm-ups of each kind, with Student's t limits over their seeds (95%).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from seed_leakage import interval, seed_leakage, seed_rates

from caveat.study.export import opened

MOST = 0.5
"""Of base's rate at `none`, for leakage to be defined."""
SEED = "warm_up_seed"
RATES = (
    ("base", "none"), ("base", "exact"), ("bare", "none"), ("marked", "none"), ("marked", "exact"),
)  # fmt: skip


def warm_ups(path: Path) -> pd.DataFrame:
    """One row a warm-up: its kind and seed, rates by arm and context, leakage or nan."""
    study = opened(path)
    answers = study.answers()
    answers = answers[answers["purpose"] == "measure"]
    rows = []
    for key, replies in answers.groupby(["setting", "model", "dose"], sort=False):
        factors = study.labels[key]
        trait = replies[replies["readout"] == replies["behaviour"]]
        rates = seed_rates(trait)
        own = {name: rates[name].mean() for name in RATES}
        defined = own["base", "none"] < MOST
        kind = next(value for name, value in factors.items() if name != SEED)
        rows.append(
            {
                "kind": kind,
                "seed": factors[SEED],
                **own,
                "leakage": seed_leakage(rates).mean() if defined else np.nan,
            }
        )
    return pd.DataFrame(rows)


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
            leakage = "left out" if np.isnan(row["leakage"]) else f"{row['leakage']:.2f}"
            print(line(row["kind"], row["seed"], [*(f"{row[at]:.2f}" for at in RATES), leakage]))
        for kind, some in table.groupby("kind", sort=False):
            if len(some) > 1:
                defined = some["leakage"].dropna().to_numpy()
                leakage = interval(defined) if len(defined) else "left out"
                rates = [interval(some[at].to_numpy()) for at in RATES]
                print(line(f"**{kind}**", f"mean of {len(some)}", [*rates, leakage]))
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
