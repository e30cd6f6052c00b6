"""Covariances in closed form, beside a bootstrap of the replies themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from caveat.analysis.intervals import Covariances, Estimates, covariances
from caveat.analysis.ladder.behaviour_panels import BehaviourPanel
from caveat.analysis.ladder.contrasts import rate_contrasts
from caveat.analysis.panel import Panel, panels
from caveat.analysis.rank_correlation import resampled
from constructed import replies

DRAWS = 200_000
TOLERANCE = {"clusters": 0.01, "seeds": 0.01, "noise": 0.02}
"""Of the standard deviations. The noise is a product of two resamples, whose tails are heavier, so
the bootstrap itself is less exact there."""
CELLS = [("base", "none"), ("bare", "none"), ("marked", "none"), ("marked", "exact")]


def simulated(seeds: int, clusters: int, questions: int = 2) -> pd.DataFrame:
    """Replies whose chance of yes depends on cell, seed and cluster, as many in every cell."""
    frame = replies(dict.fromkeys(CELLS, 0.0), tuple(range(seeds)), clusters, questions)
    generator = np.random.default_rng([seeds, clusters])
    logit = np.zeros(len(frame))
    for columns in (["arm", "context"], ["arm", "seed"], ["cluster"], ["arm", "cluster"]):
        group = frame.groupby(columns, dropna=False).ngroup()
        logit += generator.standard_normal(group.max() + 1)[group]
    yes = generator.random(len(frame)) < 1 / (1 + np.exp(-logit))
    return frame.assign(verdict=np.where(yes, "yes", "no"))


def panel_of(frame: pd.DataFrame) -> Panel:
    (panel,) = panels(frame, frame["verdict"] == "yes")
    return panel


def bootstrapped(frame: pd.DataFrame, panel: Panel, draws: int = DRAWS) -> Covariances:
    """The pigeonhole bootstrap: whole clusters and whole seeds with replacement, means anew."""
    generator = np.random.default_rng(1)
    seeds, clusters = panel.influence.shape[1:]
    yes = np.zeros((len(panel.cells), seeds, clusters))
    names = pd.Index(panel.clusters)
    for index, cell in enumerate(panel.cells):
        rows = frame[(frame["arm"] == cell.arm) & (frame["context"] == cell.context)]
        hits = (rows["verdict"] == "yes").groupby([rows["seed"].fillna(-1), rows["cluster"]]).mean()
        yes[index] = hits.unstack().reindex(columns=names).to_numpy()  # base's one row for all
    of_cluster = generator.multinomial(clusters, np.full(clusters, 1 / clusters), draws) / clusters
    of_seed = generator.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds
    both = np.einsum("bs,ksc,bc->bk", of_seed, yes, of_cluster, optimize=True)
    over_clusters, over_seeds = of_cluster @ yes.mean(1).T, of_seed @ yes.mean(2).T
    interaction = both - over_clusters - over_seeds + yes.mean((1, 2))
    more = clusters / (clusters - 1) if clusters > 1 else 0.0
    most = seeds / (seeds - 1) if seeds > 1 else 0.0
    return Covariances(
        np.cov(over_clusters.T) * more, np.cov(over_seeds.T) * most,
        np.cov(interaction.T) * more * most,
    )  # fmt: skip


@pytest.mark.parametrize(("seeds", "clusters"), [(3, 12), (5, 24), (2, 4), (1, 12), (4, 1)])
def test_the_closed_form_is_what_a_bootstrap_comes_to(seeds, clusters):
    frame = simulated(seeds, clusters)
    panel = panel_of(frame)
    expected, found = bootstrapped(frame, panel), covariances(panel)
    for name, tolerance in TOLERANCE.items():
        matrix, sampled = getattr(found, name), getattr(expected, name)
        size = np.sqrt(np.outer(matrix.diagonal(), matrix.diagonal()))
        assert (np.abs(matrix - sampled) <= tolerance * size + 1e-15).all(), name
        assert np.linalg.eigvalsh(matrix).min() > -1e-12, name


def test_2000_draws_are_not_within_1_percent():
    """What the closed form is for, and that the test above can fail."""
    frame = simulated(3, 12)
    panel = panel_of(frame)
    exact, rough = covariances(panel).clusters, bootstrapped(frame, panel, 2000).clusters
    assert np.abs(rough.diagonal() / exact.diagonal() - 1).max() > 0.01


def test_the_variance_over_clusters_is_that_of_a_mean_of_cluster_means():
    frame = simulated(1, 12)
    means = (frame["verdict"] == "yes").groupby([frame["arm"], frame["context"], frame["cluster"]])
    expected = means.mean().unstack().var(axis=1, ddof=1) / 12
    panel = panel_of(frame)
    found = covariances(panel).clusters.diagonal()
    for cell, variance in zip(panel.cells, found, strict=True):
        assert variance == pytest.approx(expected[cell.arm, cell.context])


@pytest.mark.parametrize(("seeds", "clusters", "unknown"), [
    (1, 12, ("seeds", "noise")), (3, 1, ("clusters", "noise")),
    (1, 1, ("clusters", "seeds", "noise")),
])  # fmt: skip
def test_what_one_unit_cannot_say_is_0(seeds, clusters, unknown):
    found = covariances(panel_of(simulated(seeds, clusters, questions=8)))
    zero = {name for name in TOLERANCE if not getattr(found, name).any()}
    assert zero == set(unknown)


def test_base_does_not_vary_over_seeds():
    panel = panel_of(simulated(3, 12))
    found, base = covariances(panel), panel.find("base", "none")
    assert np.abs(found.seeds[base]).max() < 1e-15 and np.abs(found.noise[base]).max() < 1e-15
    assert found.seeds.diagonal().max() > 1e-4


def without(frame: pd.DataFrame, arm: str, kept: set[int], column: str = "seed") -> pd.DataFrame:
    """The replies, of one arm only those of the seeds, or clusters, that are kept."""
    return frame[(frame["arm"] != arm) | frame[column].isin(kept)]


@pytest.mark.parametrize(
    ("column", "units"), [("seed", {0, 1, 2}), ("cluster", {"c0", "c1", "c2"})]
)
def test_a_cell_that_lacks_units_has_the_variance_of_its_own(column, units):
    """Three seeds beside ten, and three clusters beside ten, are as they are by themselves."""
    frame = without(simulated(10, 10), "marked", units, column)
    alone = panel_of(frame[frame["arm"] == "marked"])
    panel, expected = panel_of(frame), covariances(alone)
    found = covariances(panel)
    for context in ("none", "exact"):
        index, own = panel.find("marked", context), alone.find("marked", context)
        for name in TOLERANCE:
            matrix, other = getattr(found, name), getattr(expected, name)
            assert matrix[index, index] == pytest.approx(other[own, own]), name


def by_seed(frame: pd.DataFrame) -> pd.DataFrame:
    """Rates at `none`, one row a seed and one column an arm."""
    rows = frame[(frame["context"] == "none") & (frame["arm"] != "base")]
    return (rows["verdict"] == "yes").groupby([rows["seed"], rows["arm"]]).mean().unstack()


def test_the_covariance_of_two_cells_is_that_of_the_seeds_in_common():
    frame = without(simulated(10, 12), "marked", {0, 1, 2, 3})
    frame = without(frame, "bare", set(range(2, 10)))
    panel, rates = panel_of(frame), by_seed(frame)
    bare, marked = panel.find("bare", "none"), panel.find("marked", "none")
    common = rates.dropna()
    assert len(common) == 2
    expected = common.cov().loc["bare", "marked"] * 2 / (8 * 4)
    assert covariances(panel).seeds[bare, marked] == pytest.approx(expected)


def test_the_t_test_over_seeds_takes_the_seeds_in_common():
    from scipy.stats import ttest_rel

    frame = simulated(10, 12)
    for marked in ({0, 1, 2, 3}, {6, 7, 8, 9}):
        some = without(without(frame, "bare", set(range(8))), "marked", marked)
        estimates = Estimates.of(panel_of(some))
        bare, other = (estimates.panel.find(arm, "none") for arm in ("bare", "marked"))
        weights = estimates.weights((1, bare), (-1, other))[None]
        common = by_seed(some).dropna()
        found = estimates.seed_p_values(weights).item()
        alone = BehaviourPanel(
            estimates, (0,), leaks=weights, installed=weights, elicitation=weights
        )
        by_contrast = rate_contrasts([alone], np.ones((1, 1))).p_seeds.item()
        assert by_contrast == pytest.approx(found, nan_ok=True)
        if len(common) < 3:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(ttest_rel(common["bare"], common["marked"]).pvalue)


@pytest.mark.parametrize("over_seeds", [False, True])
def test_resampled_means_vary_as_the_closed_form_says(over_seeds):
    panel = panel_of(simulated(3, 12))
    found = covariances(panel)
    draws = resampled(panel, DRAWS, 0, over_seeds)
    assert draws.mean(0) == pytest.approx(panel.mean, abs=0.002)
    parts = [found.clusters * 11 / 12]
    if over_seeds:
        parts += [found.seeds * 2 / 3, found.noise * 11 / 12 * 2 / 3]
    expected = sum(parts)
    size = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    assert (np.abs(np.cov(draws.T) - expected) <= 0.015 * size).all()
