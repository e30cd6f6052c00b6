"""Rankings of interventions by what they change in a setting, and how far training seeds agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from caveat.analysis.intervals import SEEDS_NEEDED, Estimates
from caveat.analysis.leakage import leakage_denominator, no_answers, with_reasons
from caveat.analysis.panel import BASE, PANEL_COLUMNS, PanelKey
from caveat.analysis.primary import primary_panels
from caveat.analysis.rank_correlation import LEAST, entropy, resampled, spearman
from caveat.analysis.rates import estimates_by_panel, verdicts
from caveat.analysis.transfer.arms import MARKED, intervention_of, role


@dataclass(frozen=True)
class Ranking:
    """Changes of leakage from marked, at `none`, of the interventions of a panel; controls and
    stability arms are not ranked. Arrays have interventions as their last axis."""

    names: dict[str, str]
    """The values of `PANEL_COLUMNS`, and `dose`."""
    primary: bool
    """Whether the panel is the primary one of its setting."""
    undefined: str | None
    """Why there are no changes; the arrays are then empty."""
    interventions: tuple[str, ...] = ()
    change: np.ndarray = field(default_factory=lambda: np.empty(0))
    draws: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    """Shape (draws, interventions): the changes in resamples of seeds and clusters."""
    shuffled: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    """The same shape: the changes in random order."""
    by_seed: dict[int, np.ndarray] = field(default_factory=dict)
    """Per training seed; NaN where an arm has no answers after it."""

    def of(self, interventions: Sequence[str]) -> Ranking:
        """With these interventions only, in this order."""
        indices = [self.interventions.index(name) for name in interventions]
        return Ranking(
            self.names,
            self.primary,
            self.undefined,
            tuple(interventions),
            self.change[indices],
            self.draws[:, indices],
            self.shuffled[:, indices],
            {seed: change[indices] for seed, change in self.by_seed.items()},
        )


def rankings(answers: pd.DataFrame, draws: int, seed: int) -> list[Ranking]:
    """One a panel with an arm `marked+X`, in the order of panels.

    Every setting has its own resamples, as its models are trained apart: settings of one behaviour
    have the same questions, but an intervention's changes in them share no noise of training.
    """
    measured = verdicts(answers)
    every = list(estimates_by_panel(measured))
    primary = primary_panels(estimates.panel for estimates in every)
    rates = _rates_by_seed(measured)
    return [
        _ranking(estimates, estimates.panel.key in primary, rates, draws, seed)
        for estimates in every
        if any(arm.startswith(MARKED) for arm in estimates.panel.arms())
    ]


def _rates_by_seed(measured: pd.DataFrame) -> pd.Series:
    """The rate at `none` by the columns `PANEL_COLUMNS`, dose, arm and training seed."""
    plain = measured[(measured["context"] == "none") & (measured["arm"] != BASE)]
    columns = [plain[name] for name in (*PANEL_COLUMNS, "dose", "arm", "seed")]
    return (plain["verdict"] == "yes").groupby(columns).mean()


def _ranking(
    estimates: Estimates, primary: bool, rates: pd.Series, draws: int, seed: int
) -> Ranking:
    panel = estimates.panel
    names = {**panel.names, "dose": panel.dose}
    reason, denominator = leakage_denominator(estimates)
    marked = panel.find("marked", "none")
    reason = reason or _nothing_to_lower(estimates, marked)
    cells = {arm: panel.find(arm, "none") for arm in panel.arms() if _is_ranked(arm)}
    cells = {arm: index for arm, index in cells.items() if index is not None}
    if reason or not cells:
        return Ranking(names, primary, reason or "no intervention was tested in the context 'none'")
    indices = list(cells.values())
    seeds = min(panel.cell_seeds[index] for index in (marked, *indices))
    means = resampled(panel, draws, seed, over_seeds=seeds >= SEEDS_NEEDED)
    size = float(denominator @ panel.mean)
    change = (panel.mean[indices] - panel.mean[marked]) / size
    generator = np.random.default_rng([*entropy(seed, *names.values()), 1])
    return Ranking(
        names,
        primary,
        None,
        tuple(map(intervention_of, cells)),
        change,
        (means[:, indices] - means[:, [marked]]) / (means @ denominator)[:, None],
        generator.permuted(np.tile(change, (draws, 1)), axis=1),
        _changes_by_seed(rates, panel.key, list(cells), size),
    )


def _is_ranked(arm: str) -> bool:
    return arm.startswith(MARKED) and role(intervention_of(arm)) == "intervention"


def _nothing_to_lower(estimates: Estimates, marked: int | None) -> str | None:
    """Why there is nothing to rank where leakage is defined. Where marked does not leak, remedies
    are tied at no change: there is no order to compare."""
    if marked is None:
        return no_answers("marked", "none")
    base = estimates.panel.find(BASE, "none")
    _, low, _ = estimates.interval(estimates.weights((1, marked), (-1, base)))
    return None if low > 0 else "marked is not above base, so there is nothing to lower"


def _changes_by_seed(
    rates: pd.Series, panel: PanelKey, arms: list[str], size: float
) -> dict[int, np.ndarray]:
    if panel not in rates.index.droplevel(["arm", "seed"]):
        return {}  # imported verdicts without training seeds
    by_arm = rates.loc[panel].unstack("seed").reindex(["marked", *arms])
    changes = (by_arm.loc[arms] - by_arm.loc["marked"]) / size
    return {int(seed): changes[seed].to_numpy(dtype=float) for seed in changes}


def averaged(rankings: Sequence[Ranking], names: dict[str, str]) -> Ranking:
    """The mean over rankings, each weighing alike, of the interventions that all of them have."""
    common = [
        name
        for name in rankings[0].interventions
        if all(name in ranking.interventions for ranking in rankings)
    ]
    members = [ranking.of(common) for ranking in rankings]
    seeds = [
        seed for seed in members[0].by_seed if all(seed in member.by_seed for member in members)
    ]
    return Ranking(
        names,
        True,
        None,
        tuple(common),
        np.mean([member.change for member in members], axis=0),
        np.mean([member.draws for member in members], axis=0),
        np.mean([member.shuffled for member in members], axis=0),
        {seed: np.mean([member.by_seed[seed] for member in members], axis=0) for seed in seeds},
    )


COLUMNS = [
    *PANEL_COLUMNS, "dose", "primary", "interventions", "seeds", "between_seeds", "reliability",
    "undefined",
]  # fmt: skip


def between_seeds(ranking: Ranking) -> float:
    """The mean rank correlation of the changes after one training seed with those after another.

    NaN with one seed, or with fewer than three interventions that have answers after two.
    """
    values = [_pair_correlation(*pair) for pair in combinations(ranking.by_seed.values(), 2)]
    values = [value for value in values if not np.isnan(value)]
    return float(np.mean(values)) if values else np.nan


def _pair_correlation(one: np.ndarray, other: np.ndarray) -> float:
    both = ~np.isnan(one) & ~np.isnan(other)
    return spearman(one[None, both], other[None, both]).item() if both.sum() >= LEAST else np.nan


def reliability(ranking: Ranking) -> float:
    """The rank correlation that a repetition with as many other seeds would show, in [0, 1].

    Spearman and Brown's formula (1910) on `between_seeds`, 0 where that is not above 0. The seeds
    have the same questions, so it is rather too high than too low.
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
            **ranking.names,
            "primary": ranking.primary,
            "interventions": len(ranking.interventions),
            "seeds": len(ranking.by_seed),
            "between_seeds": between_seeds(ranking),
            "reliability": reliability(ranking),
            "undefined": ranking.undefined,
        }
        for ranking in rankings
    ]
    return with_reasons(pd.DataFrame(rows, columns=COLUMNS))
