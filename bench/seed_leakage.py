"""Leakage seed by seed, and intervals over seeds, as the tables of this folder have them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from caveat.diagnostics.intervals import t_limits
from caveat.report.formatting import Estimate


def seed_rates(replies: pd.DataFrame) -> pd.Series:
    """The share of yes of one setting's replies, by arm, context and seed; base has none."""
    yes = replies["verdict"] == "yes"
    return yes.groupby(
        [replies["arm"], replies["context"], replies["seed"]], dropna=False
    ).mean()  # fmt: skip


def seed_leakage(rates: pd.Series, base: float | None = None) -> np.ndarray:
    """Marked's rate at `none` over bare's, both above base's, of the seeds that both have.

    `base` is given where base's replies are not among those of the rates.
    """
    base = rates["base", "none"].mean() if base is None else base
    bare, marked = (rates[arm, "none"] - base for arm in ("bare", "marked"))
    seeds = bare.index.intersection(marked.index)
    return (marked[seeds] / bare[seeds]).to_numpy()


def share(shown: pd.Series, seeds: pd.Series) -> str:
    """The share of replies for which it holds; by seed behind it where there are several."""
    by_seed = ", ".join(f"{value:.2f}" for value in shown.groupby(seeds).mean())
    return f"{shown.mean():.2f}" + (f" ({by_seed})" if "," in by_seed else "")


def interval(values: np.ndarray) -> str:
    """Mean and Student's t limits over seeds (95%); of a single seed the mean alone."""
    return f"{values[0]:.2f}" if len(values) == 1 else str(Estimate.of(*t_limits(values)))
