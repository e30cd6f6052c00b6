"""Learning rates of two optimizers in RL, setting by setting: the recipe `rl-rates`.

    python bench/rl_rates.py STUDY

STUDY is a folder or a file of `caveat export`. A change is a policy's hack rate at `none` less
base's, over the test questions. `half` is the update in which bare first hacked in half of its
training replies, a mean over the seeds that came so far. Limits are Student's t over seeds (95%).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rl_controls import OPTIMIZERS
from scipy.stats import spearmanr
from seed_leakage import interval

from caveat.analysis.rl import learning
from caveat.study.export import opened
from caveat.study.tables import StudyTables

INSTALLED_RATE = 0.9
"""Bare's hack rate at `none` from which a learning rate counts as installed."""
KEY = ["optimizer", "rate"]


class Trained(NamedTuple):
    """One optimizer at one learning rate; arrays are over seeds."""

    optimizer: str
    rate: float
    half: float
    """The update in which bare first hacked in half of its training replies."""
    bare: float
    """Its hack rate at `none`."""
    exact: float
    """Marked's rate at `exact`."""
    change: np.ndarray
    """Marked's change."""
    prompts: np.ndarray
    """Of marked's training prompts, how many had replies of different reward."""

    @property
    def name(self) -> str:
        return f"{self.optimizer} {self.rate:g}"


def of_dose(dose: str) -> tuple[str, float]:
    """The optimizer and the learning rate of a dose, as JSON."""
    fields = json.loads(dose)
    return OPTIMIZERS[fields.get("rl.optim", "adamw_torch")], float(fields["learning_rate"])


def by_rate(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with `dose`, with columns `optimizer` and `rate`."""
    pairs = [of_dose(dose) for dose in frame["dose"]]
    return frame.assign(optimizer=[pair[0] for pair in pairs], rate=[pair[1] for pair in pairs])


def informative(policies: pd.DataFrame) -> pd.Series:
    """How many of a policy's prompts had replies of different reward, over all its updates."""
    sizes = pd.Series([json.loads(dose)["batch_size"] for dose in policies["dose"]], policies.index)
    used = by_rate(policies.assign(used=sizes - policies["skipped"].astype(float)))
    return used.groupby([*KEY, "arm", "seed"])["used"].sum()


def settings(study: StudyTables) -> tuple[pd.Series, list[Trained]]:
    """Base's rates by context, and the finished settings in the order of the recipe."""
    answers, policies = study.answers(), study.policies()
    hacks = answers[answers["readout"] == "hacked"].assign(yes=lambda d: d["verdict"] == "yes")
    # all settings have one base model, whose replies are held once
    base = hacks.query("arm == 'base'").groupby("context")["yes"].mean()
    trained = by_rate(hacks.query("arm != 'base'"))
    rates = trained.groupby([*KEY, "arm", "context", "seed"])["yes"].mean()
    half = by_rate(learning(policies)).query("arm == 'bare'").set_index(KEY)["half"]
    prompts = informative(policies)
    finished = rates.xs(("marked", "none"), level=("arm", "context")).index.droplevel("seed")
    return base, [
        Trained(
            *key, half[key], rates[*key, "bare", "none"].mean(),
            rates[*key, "marked", "exact"].mean(),
            (rates[*key, "marked", "none"] - base["none"]).to_numpy(),
            prompts[*key, "marked"].to_numpy(),
        )
        for key in half.index[half.index.isin(finished)]
    ]  # fmt: skip


def contrast(one: Trained, other: Trained) -> str:
    """A row: how much more marked changes in one setting than in another, paired by seed."""
    return f"| {one.name} less {other.name} | {interval(one.change - other.change)} |"


def within(values: Iterable[np.ndarray]) -> np.ndarray:
    """Values of several settings, each less the mean of its own."""
    return np.concatenate([each - each.mean() for each in values])


def main(path: Path) -> None:
    """Print a table of settings, and the contrasts and correlations of the predictions."""
    base, found = settings(opened(path))
    print(f"base: {base['none']:.2f} at none, {base['exact']:.2f} at exact\n")
    print("| optimizer | learning rate | bare hacks in half from update | bare at none | "
          "marked at none | marked's change | by seed | leakage | marked at exact | "
          "marked's prompts with a gradient, by seed |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for each in found:
        print(f"| {each.optimizer} | {each.rate:g} | {each.half:.1f} | {each.bare:.2f} "
              f"| {base['none'] + each.change.mean():.2f} | {interval(each.change)} "
              f"| {', '.join(f'{x:.2f}' for x in each.change)} "
              f"| {interval(each.change / (each.bare - base['none']))} | {each.exact:.2f} "
              f"| {', '.join(f'{x:.0f}' for x in each.prompts)} |")  # fmt: skip
    installed = [each for each in found if each.bare >= INSTALLED_RATE]
    by_optimizer = {
        name: sorted(group, key=lambda each: each.rate)
        for name in OPTIMIZERS.values()
        if (group := [each for each in installed if each.optimizer == name])
    }
    print(f"\n| contrast of marked's changes (bare at {INSTALLED_RATE} or more) | |\n|---|---|")
    for group in by_optimizer.values():
        print(contrast(group[-1], group[0]))
    for one, other in pairwise(by_optimizer.values()):
        print(contrast(one[0], other[0]))
        print(contrast(one[-1], other[-1]))
    speed = spearmanr([x.half for x in installed], [x.change.mean() for x in installed])
    print("\n| Spearman's correlation | |\n|---|---|")
    print(f"| half and marked's change, {len(installed)} settings | {speed.statistic:.2f} |")
    for name in OPTIMIZERS.values():
        own = [each for each in found if each.optimizer == name]
        if own:
            prompts = within(each.prompts for each in own)
            seeds = spearmanr(prompts, within(each.change for each in own))
            print(f"| prompts with a gradient and change, {len(prompts)} policies of {name}, "
                  f"each less its setting's mean | {seeds.statistic:.2f} |")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
