"""Rank interventions in a setting; split-seed reliability.

What each intervention changed in one setting, with its draws: what correlations are made of.

How far a setting's ranking of interventions agrees with itself between training seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from caveat.analysis.intervals import SEEDS_NEEDED, Inference
from caveat.analysis.leakage import installed
from caveat.analysis.panel import BASE, GROUP, key, main_panels
from caveat.analysis.rank_correlation import LEAST, entropy, resampled, spearman
from caveat.analysis.rates import inferences, verdicts
from caveat.analysis.transfer.arms import MARKED, intervention_of, role


@dataclass(frozen=True)
class Ranking:
    """Changes of leakage from marked, at `none`, of the interventions of a panel; controls and
    stability arms are not ranked. Arrays have interventions as their last axis."""

    names: dict[str, str]
    """The columns of `GROUP`, and `dose`."""
    main: bool
    """Whether the panel stands for its setting."""
    undefined: str | None
    """Why there are no changes; the arrays are then empty."""
    interventions: tuple[str, ...] = ()
    change: np.ndarray = field(default_factory=lambda: np.empty(0))
    draws: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    """Shape (draws, interventions)."""
    shuffled: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    """The same shape: the changes in random order."""
    by_seed: dict[int, np.ndarray] = field(default_factory=dict)
    """Per training seed; NaN where an arm was not asked after it."""

    def of(self, interventions: Sequence[str]) -> Ranking:
        """With these interventions only, in this order."""
        at = [self.interventions.index(each) for each in interventions]
        return Ranking(
            self.names, self.main, self.undefined, tuple(interventions), self.change[at],
            self.draws[:, at], self.shuffled[:, at],
            {seed: change[at] for seed, change in self.by_seed.items()},
        )  # fmt: skip


def rankings(replies: pd.DataFrame, draws: int, seed: int) -> list[Ranking]:
    """One a panel with an arm `marked+X`, in the order of panels.

    Every setting has its own draws, as its models are trained apart: settings of one behaviour are
    asked the same questions, but an intervention's changes in them share no noise of training.
    """
    measured = verdicts(replies)
    found = list(inferences(measured))
    main = main_panels(each.panel for each in found)
    rates = _rates_by_seed(measured)
    return [
        _ranking(each, key(each.panel) in main, rates, draws, seed)
        for each in found
        if any(arm.startswith(MARKED) for arm in each.panel.arms())
    ]


def _rates_by_seed(measured: pd.DataFrame) -> pd.Series:
    """The rate at `none` by the columns of `GROUP`, dose, arm and training seed."""
    plain = measured[(measured["context"] == "none") & (measured["arm"] != BASE)]
    columns = [plain[name] for name in (*GROUP, "dose", "arm", "seed")]
    return (plain["verdict"] == "yes").groupby(columns).mean()


def _ranking(inference: Inference, main: bool, rates: pd.Series, draws: int, seed: int) -> Ranking:
    panel = inference.panel
    names = {**panel.names, "dose": panel.dose}
    reason, below = installed(inference)
    marked = panel.find("marked", "none")
    reason = reason or _nothing_to_lower(inference, marked)
    tried = {arm: place for arm in panel.arms() if (place := _place(inference, arm)) is not None}
    if reason or not tried:
        return Ranking(names, main, reason or "no intervention was asked in the context 'none'")
    trained = [panel.cell_seeds[place] for place in (marked, *tried.values())]
    means = resampled(panel, draws, seed, min(trained) >= SEEDS_NEEDED)
    places = list(tried.values())
    size = float(below @ panel.mean)
    change = (panel.mean[places] - panel.mean[marked]) / size
    generator = np.random.default_rng([*entropy(seed, *names.values()), 1])
    return Ranking(
        names,
        main,
        None,
        tuple(map(intervention_of, tried)),
        change,
        (means[:, places] - means[:, [marked]]) / (means @ below)[:, None],
        generator.permuted(np.tile(change, (draws, 1)), axis=1),
        _changes_by_seed(rates, key(panel), list(tried), size),
    )


def _nothing_to_lower(inference: Inference, marked: int | None) -> str | None:
    """Why there is nothing to rank where leakage is defined. Where marked does not leak, remedies
    are tied at no change: there is no order to compare."""
    if marked is None:
        return "marked was not asked in the context 'none'"
    base = inference.panel.find(BASE, "none")
    _, low, _ = inference.intervals(inference.weights((1, marked), (-1, base))[None])
    return None if low[0] > 0 else "marked is not above base, so there is nothing to lower"


def _place(inference: Inference, arm: str) -> int | None:
    """The cell of an intervention that is ranked."""
    if not arm.startswith(MARKED) or role(intervention_of(arm)) != "intervention":
        return None
    return inference.panel.find(arm, "none")


def _changes_by_seed(
    rates: pd.Series, panel: tuple[str, ...], arms: list[str], size: float
) -> dict[int, np.ndarray]:
    if panel not in rates.index.droplevel(["arm", "seed"]):
        return {}  # others' results, whose seeds nobody told
    by_arm = rates.loc[panel].unstack("seed").reindex(["marked", *arms])
    changes = (by_arm.loc[arms] - by_arm.loc["marked"]) / size
    return {int(seed): changes[seed].to_numpy(dtype=float) for seed in changes}


def averaged(rankings: Sequence[Ranking], names: dict[str, str]) -> Ranking:
    """The mean over rankings, each weighing alike, of the interventions that all of them have."""
    common = [
        each
        for each in rankings[0].interventions
        if all(each in other.interventions for other in rankings)
    ]
    parts = [each.of(common) for each in rankings]
    seeds = [seed for seed in parts[0].by_seed if all(seed in each.by_seed for each in parts)]
    return Ranking(
        names,
        True,
        None,
        tuple(common),
        np.mean([each.change for each in parts], axis=0),
        np.mean([each.draws for each in parts], axis=0),
        np.mean([each.shuffled for each in parts], axis=0),
        {seed: np.mean([each.by_seed[seed] for each in parts], axis=0) for seed in seeds},
    )


COLUMNS = [
    *GROUP, "dose", "main", "interventions", "seeds", "between_seeds", "reliability", "undefined",
]  # fmt: skip


def between_seeds(ranking: Ranking) -> float:
    """The mean rank correlation of the changes after one training seed with those after another.

    NaN with one seed, or fewer than three interventions asked after two.
    """
    pairs = [_pair(*two) for two in combinations(ranking.by_seed.values(), 2)]
    known = [value for value in pairs if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan


def _pair(one: np.ndarray, other: np.ndarray) -> float:
    both = ~np.isnan(one) & ~np.isnan(other)
    return spearman(one[None, both], other[None, both]).item() if both.sum() >= LEAST else np.nan


def reliability(ranking: Ranking) -> float:
    """What rank correlation a repetition with as many other seeds would show, in [0, 1].

    Spearman and Brown's formula (1910) on `between_seeds`, 0 where that is not above 0. The seeds
    are asked the same questions, so it is rather too high than too low.
    """
    single, seeds = between_seeds(ranking), len(ranking.by_seed)
    if np.isnan(single) or single <= 0:
        return 0.0 if single <= 0 else np.nan
    return seeds * single / (1 + (seeds - 1) * single)


def ceiling(first: Ranking, second: Ranking) -> float:
    """The most that two settings' rankings can be expected to correlate (Spearman 1904)."""
    return float(np.sqrt(reliability(first) * reliability(second)))


def reliabilities(rankings: Sequence[Ranking]) -> pd.DataFrame:
    """One row a ranking, with the columns `COLUMNS`; `undefined` says why it ranks nothing."""
    rows = [
        {
            **each.names,
            "main": each.main,
            "interventions": len(each.interventions),
            "seeds": len(each.by_seed),
            "between_seeds": between_seeds(each),
            "reliability": reliability(each),
            "undefined": each.undefined,
        }
        for each in rankings
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    reasons = table["undefined"].astype(object)
    return table.assign(undefined=reasons.where(reasons.notna(), None))
