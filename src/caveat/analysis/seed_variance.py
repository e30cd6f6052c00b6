"""How much training seeds differ, from a few seeds: an estimate that never vanishes by luck.

With three seeds the variance between them has two degrees of freedom. It is often 0 by chance, and
an interval that takes the 0 is one within seed. So a combination's own estimate is averaged with
what a usual study lets expect (a moderated variance, Smyth 2004): `(d0 V0 + d V) / (d0 + d)`, with
`d0 + d` degrees of freedom, where d is seeds less one.

**The prior.** A training seed is taken to move a cell by half a logit (`USUAL_SPREAD`). A move of t
logits is one of `t p (1 - p)` in a rate p, so V0 is `t^2 p^2 (1 - p)^2` over the number of seeds,
summed over cells as if their moves were independent. It counts as one degree of freedom, half of
what three seeds have themselves.

**Values in nats** have no logit scale. Their prior is each cell's own variance between seeds with
the noise of questions and sampling left in.

A prior that is estimated over all arms of a panel (as Smyth does) was simulated too. It makes more
of p-values below .001, but then another arm in the recipe moves the interval of every other one.
`docs/engineering/statistics.md` has false-positive rates and power, and says where this errs.
"""

from __future__ import annotations

import numpy as np

from caveat.analysis.panel import BASE, Panel

PRIOR_FREEDOM = 1
"""Degrees of freedom of the prior, d0."""
USUAL_SPREAD = 0.5
"""Standard deviation between seeds, in logits, that the prior expects; studies so far had .2 to
1.3."""
FEWEST = 3
"""The fewest training seeds with which anything is over seeds."""


def prior_variances(panel: Panel, seeds: np.ndarray, bounded: bool) -> np.ndarray:
    """Shape (cells,): the variance that a single training seed is expected to give a cell's mean.

    0 for base. The mean of n seeds has an n-th of it.

    Args:
        panel: The cells.
        seeds: Shape (cells,): the variance of a cell's mean over training seeds.
        bounded: Whether scores are shares.
    """
    trained = np.array([cell.arm != BASE for cell in panel.cells])
    if not bounded:
        return np.where(trained, seeds * panel.cell_seeds, 0.0)
    # A cell at 0 or 1 counts as half an answer off: its seeds may differ unseen.
    rate = (panel.mean * panel.cell_questions + 0.5) / (panel.cell_questions + 1)
    return np.where(trained, (USUAL_SPREAD * rate * (1 - rate)) ** 2, 0.0)


def moderated(
    over_seeds: np.ndarray, noise: np.ndarray, prior: np.ndarray, seeds: np.ndarray
) -> np.ndarray:
    """Variances over seeds of combinations, averaged with their priors; all of shape (k,).

    The noise is taken off the variance as seen, as question clusters have it already. That is done
    by the geometric mean of both: the difference alone (Cameron, Gelbach & Miller 2011) covers too
    little, the whole too much.

    Args:
        over_seeds: Variance of the combination over training seeds.
        noise: The part of it that questions and sampling make.
        prior: What a single seed is expected to give: `prior_variances`, summed with squared
            weights.
        seeds: Number of training seeds, at least `FEWEST`.
    """
    own = np.sqrt(np.maximum(over_seeds, 0.0) * np.maximum(over_seeds - noise, 0.0))
    freedom = seeds - 1
    return (PRIOR_FREEDOM * prior / seeds + freedom * own) / (PRIOR_FREEDOM + freedom)
