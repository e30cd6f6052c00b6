"""Score the predictions of docs/predictions/claims-loss.md.

    python bench/claims_loss_score.py STUDY

STUDY is a folder or a file of `caveat export`. Rates are of the readout `belief` at `none`. A value
of a seed is a mean over the claims that are there; intervals are Student's t over seeds, as nothing
here is near 0 or 1. Leakage is the ratio of means over claims, by seed: one ratio a seed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

from caveat.diagnostics.intervals import t_limits
from caveat.study.export import opened

OFF, ON = "document", "document and caveat"
LOSSES = {"all_but_caveat": OFF, "all_but_masked": ON}
"""By the recipe's name of them: where the loss is."""
ARMS = ("bare", "marked", "marked+repeat", "neutral", "neutral+repeat")


def rates(answers: pd.DataFrame) -> pd.DataFrame:
    """Belief at `none`: one row a claim, loss, arm and seed; base has no seed."""
    belief = answers[
        (answers["readout"] == "belief")
        & (answers["context"] == "none")
        & (answers["purpose"] == "measure")
        & answers["verdict"].isin(["yes", "no", "neutral"])
    ]
    loss = belief["dose"].map(lambda dose: LOSSES[json.loads(dose)["loss"]])
    belief = belief.assign(loss=loss, yes=belief["verdict"] == "yes")
    keys = ["behaviour", "loss", "arm", "seed"]
    return belief.groupby(keys, dropna=False)["yes"].mean().rename("rate").reset_index()


def by_seed(table: pd.DataFrame, loss: str, arm: str) -> pd.Series:
    """The mean over claims, by seed."""
    own = table[(table["loss"] == loss) & (table["arm"] == arm)]
    return own.groupby("seed")["rate"].mean()


def interval(values: pd.Series) -> str:
    """Mean, 95% limits, and the values by seed."""
    mean, low, high = t_limits(values.to_numpy(float))
    seeds = " ".join(f"{value:.2f}" for value in values)
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]  ({seeds})"


def main(path: str) -> None:
    """Print rates, leakages and the contrasts that the predictions name."""
    table = rates(opened(Path(path)).answers())
    print(table.pivot_table("rate", ["behaviour", "loss"], "arm").round(3).to_string())
    base = table[table["arm"] == "base"].groupby("behaviour")["rate"].mean().mean()
    for loss in (OFF, ON):
        print(f"\nloss on {loss}; base {base:.3f}")
        bare = by_seed(table, loss, "bare")
        for arm in ARMS:
            values = by_seed(table, loss, arm)
            print(f"  {arm:15} rate {interval(values)}")
            leakage = (values - base) / (bare - base)
            print(f"  {'':15} leakage {interval(leakage)}")
        for first, second in (
            ("marked", "neutral"), ("marked+repeat", "marked"), ("neutral+repeat", "neutral"),
            ("marked+repeat", "neutral+repeat"),
        ):  # fmt: skip
            difference = by_seed(table, loss, first) - by_seed(table, loss, second)
            print(f"  {first} - {second}: {interval(difference)}")
    print("\nloss on the caveat too, less loss off it")
    for arm in ARMS:
        print(f"  {arm:15} {interval(by_seed(table, ON, arm) - by_seed(table, OFF, arm))}")
    for claim in sorted(table["behaviour"].unique()):
        own = table[table["behaviour"] == claim]
        print(f"\n{claim}")
        for loss in (OFF, ON):
            marked, neutral = by_seed(own, loss, "marked"), by_seed(own, loss, "neutral")
            print(f"  loss on {loss}: marked - neutral {interval(marked - neutral)}")
            repeat = by_seed(own, loss, "marked+repeat")
            print(f"  loss on {loss}: marked+repeat - marked {interval(repeat - marked)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
