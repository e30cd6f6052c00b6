"""Learning rates of two optimizers in RL, setting by setting: the recipe `rl-rates`.

    python bench/rl_rates.py STUDY

STUDY is a folder or a file of `caveat export`. A change is a policy's hack rate at `none` less
base's, over the test questions. `half` is the update in which bare first hacked in half of its
training replies, a mean over the seeds that came so far. Limits are Student's t over seeds (95%).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from rl_controls import OPTIMIZERS
from scipy.stats import spearmanr
from seed_leakage import interval

from caveat.analysis.rl import learning
from caveat.study.export import opened

INSTALLED_RATE = 0.9
"""Bare's hack rate at `none` from which a learning rate counts as installed."""
KEY = ["optimizer", "rate"]
Change = tuple[str, float]
"""An optimizer and a learning rate."""


def of_dose(dose: str) -> Change:
    """The optimizer and the learning rate of a dose, as JSON."""
    fields = json.loads(dose)
    return OPTIMIZERS[fields.get("rl.optim", "adamw_torch")], float(fields["learning_rate"])


def by_rate(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with `dose`, with columns `optimizer` and `rate`."""
    pairs = [of_dose(dose) for dose in frame["dose"]]
    return frame.assign(optimizer=[pair[0] for pair in pairs], rate=[pair[1] for pair in pairs])


def contrast(name: str, one: np.ndarray, other: np.ndarray) -> str:
    """A row: how much more marked changes in one setting than in another, paired by seed."""
    return f"| {name} | {interval(one - other)} |"


def extremes(optimizer: str, rates: Sequence[float]) -> tuple[Change, Change]:
    """The settings of an optimizer with the smallest and the largest of some rates."""
    return (optimizer, min(rates)), (optimizer, max(rates))


def main(path: Path) -> None:
    """Print a table of settings, and the contrasts of the predictions."""
    study = opened(path)
    answers = study.answers()
    hacks = answers[answers["readout"] == "hacked"].assign(yes=lambda d: d["verdict"] == "yes")
    # all settings have one base model, whose replies are held once
    base = hacks.query("arm == 'base'").groupby("context")["yes"].mean()
    trained = by_rate(hacks.query("arm != 'base'"))
    rates = trained.groupby([*KEY, "arm", "context", "seed"])["yes"].mean()
    half = by_rate(learning(study.policies())).query("arm == 'bare'").set_index(KEY)["half"]
    print(f"base: {base['none']:.2f} at none, {base['exact']:.2f} at exact\n")
    print("| optimizer | learning rate | bare hacks in half from update | bare at none | "
          "marked at none | marked's change | by seed | leakage | marked at exact |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    changes: dict[Change, np.ndarray] = {}
    installed: dict[str, list[float]] = {}
    finished = rates.xs(("marked", "none"), level=("arm", "context")).index.droplevel("seed")
    for optimizer, rate in half.index[half.index.isin(finished)]:
        bare, marked = (rates[optimizer, rate, arm, "none"] for arm in ("bare", "marked"))
        change = (marked - base["none"]).to_numpy()
        changes[optimizer, rate] = change
        if bare.mean() >= INSTALLED_RATE:
            installed.setdefault(optimizer, []).append(rate)
        by_seed = ", ".join(f"{value:.2f}" for value in change)
        print(f"| {optimizer} | {rate:g} | {half[optimizer, rate]:.1f} | {bare.mean():.2f} "
              f"| {marked.mean():.2f} | {interval(change)} | {by_seed} "
              f"| {change.mean() / (bare.mean() - base['none']):.2f} "
              f"| {rates[optimizer, rate, 'marked', 'exact'].mean():.2f} |")  # fmt: skip
    print(f"\n| contrast of marked's changes (bare at {INSTALLED_RATE} or more) | |\n|---|---|")
    for optimizer, chosen in installed.items():
        least, most = extremes(optimizer, chosen)
        name = f"{optimizer}, {most[1]:g} less {least[1]:g}"
        print(contrast(name, changes[most], changes[least]))
    for (one, ones), (other, others) in pairwise(installed.items()):
        for first, second in zip(extremes(one, ones), extremes(other, others), strict=True):
            name = f"{one} {first[1]:g} less {other} {second[1]:g}"
            print(contrast(name, changes[first], changes[second]))
    pairs = [
        (half[key], changes[key].mean()) for key in changes if key[1] in installed.get(key[0], ())
    ]
    found = spearmanr([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    print(f"\nSpearman's correlation of half and marked's change over {len(pairs)} settings: "
          f"{found.statistic:.2f}")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
