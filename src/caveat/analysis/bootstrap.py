"""Paired bootstrap of the cells of a panel, over question clusters and training seeds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from caveat.analysis.panel import Panel


@dataclass(frozen=True)
class Covariances:
    """How the cells of a panel vary together; each array has the shape (cells, cells)."""

    clusters: np.ndarray
    """Over resampled question clusters, all seeds kept."""
    seeds: np.ndarray
    """Over resampled training seeds, all clusters kept."""
    noise: np.ndarray
    """Of what resampling both adds to the sum of the two: the part of a seed's deviation that the
    questions and the sampling make, and that is in `clusters` already."""


def bootstrap(panel: Panel, draws: int, seed: int) -> Covariances:
    """Covariances of all cells over `draws` resamples.

    A draw takes as many clusters, and as many seeds, as there are, with replacement, the same for
    every arm and context (Owen 2007, the pigeonhole bootstrap), so pairs are kept. Means are
    linearised: a draw moves a cell by the sum of the influences that it takes again. Variances
    over n units are multiplied by n / (n - 1), as a resample of n varies by (n - 1) / n only.
    With one cluster, or one seed, that part is not known and stands as 0 here; `Inference` says
    what then holds. The draws are a function of `seed`, the panel's names and its shape.
    """
    of_cluster, of_seed, of_both = _deviations(panel, draws, seed)
    _, seeds, clusters = panel.influence.shape
    return Covariances(
        clusters=_covariance(of_cluster) * _correction(clusters),
        seeds=_covariance(of_seed) * _correction(seeds),
        noise=_covariance(of_both) * _correction(clusters) * _correction(seeds),
    )


def resampled(panel: Panel, draws: int, seed: int, over_seeds: bool) -> np.ndarray:
    """Shape (draws, cells): the cells' means in the draws that `bootstrap` makes.

    For what is no combination of cells, such as ranks. Without `over_seeds` every draw has all
    seeds once. Means are linearised here, too, and may leave [0, 1] by a little.
    """
    of_cluster, of_seed, of_both = _deviations(panel, draws, seed)
    return panel.mean + (of_cluster + of_seed + of_both if over_seeds else of_cluster)


def _deviations(panel: Panel, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What resampling clusters, seeds, and both beyond the sum of these adds to the cells' means,
    each of shape (draws, cells)."""
    _, seeds, clusters = panel.influence.shape
    generator = np.random.default_rng(entropy(seed, *panel.names.values()))
    again_cluster = _resample(generator, draws, clusters)
    again_seed = _resample(generator, draws, seeds)
    return (
        again_cluster @ panel.influence.sum(1).T,
        again_seed @ panel.influence.sum(2).T,
        np.einsum("bs,ksc,bc->bk", again_seed, panel.influence, again_cluster, optimize=True),
    )


def entropy(seed: int, *names: str) -> list[int]:
    """What a generator is seeded with: other names give other draws."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return [seed % 2**64, int.from_bytes(digest[:8], "big")]


def _resample(generator: np.random.Generator, draws: int, units: int) -> np.ndarray:
    """Shape (draws, units): how often a unit was drawn, less once."""
    return generator.multinomial(units, np.full(units, 1 / units), size=draws) - 1.0


def _covariance(deviations: np.ndarray) -> np.ndarray:
    """Shape (cells, cells), from deviations of shape (draws, cells) whose mean is known to be 0."""
    return deviations.T @ deviations / len(deviations)


def _correction(units: int) -> float:
    return units / (units - 1) if units > 1 else 0.0
