"""How good forecasts were: scored against the leakage that was measured afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from caveat.measure.held_out_fit import Fits
from caveat.measure.rank_correlation import LEAST, over_draws

PREDICTORS = (
    "elicitation", "loss_gap", "loss_ratio", "first_order", "short_horizon", "similarity",
)  # fmt: skip
AS_LEAKAGE = ("first_order", "short_horizon")
"""Predictors that are on leakage's own scale: 1 is as bare training, 0 is none of it."""
COMBINED = ("elicitation", "loss_ratio", "first_order", "short_horizon")
ALL, PLAIN, TREATED = "all marked arms", "marked", "marked with an intervention"
FIGURES = ("rank", "r2", "r2_as_leakage")
COLUMNS = [
    "arms", "predictor", "cells", "settings", "left_out",
    *(f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high")), "trusted", "undefined",
]  # fmt: skip
UNITS = ("setting", "behaviour")


def forecast_scores(
    cells: pd.DataFrame, unit: str = "setting", draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """One row a predictor, over all marked arms, `marked` alone, and those with interventions.

    - `rank`: Spearman's correlation with leakage, over cells.
    - `r2`: of a straight line through the predictor (`combined`: through several) that is fitted on
      all settings but one and asked of that one; see `Fits.r2`.
    - `r2_as_leakage`: of the predictor taken for the leakage itself, where it is on that scale.

    Limits are 95% percentiles over resampled settings; of `r2`, fitted anew in each. `trusted`: the
    lower limit of `r2` is above 0. `cells` are those with a leakage and the predictor, `left_out`
    the forecasts that lack one. `undefined` says why there are no figures: too few settings.

    Args:
        cells: See `forecast_cells`.
        unit: What is left out, and resampled, as one: `setting` (behaviour x caveat, on all models
            and at all doses), or `behaviour`, with all caveats.
    """
    rows = [
        {"arms": arms, **row}
        for arms, chosen in _subsets(cells)
        for row in _scored(chosen, unit, draws, seed)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    reasons = table["undefined"].astype(object)
    return table.assign(undefined=reasons.where(reasons.notna(), None))


def _subsets(cells: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    plain = cells["arm"] == "marked"
    yield ALL, cells
    if plain.any() and not plain.all():
        yield PLAIN, cells[plain]
        yield TREATED, cells[~plain]


def _scored(cells: pd.DataFrame, unit: str, draws: int, seed: int) -> Iterator[dict]:
    for name in (*PREDICTORS, "combined"):
        columns = COMBINED if name == "combined" else (name,)
        figures = cells[[*columns]].astype(float)
        known = cells["leakage"].notna() & np.isfinite(figures).all(axis=1)
        chosen = cells[known]
        settings = chosen[unit].nunique()
        row = {
            "predictor": name,
            "cells": len(chosen),
            "settings": settings,
            "left_out": len(cells) - len(chosen),
            "trusted": False,
        }
        if settings < LEAST:
            row["undefined"] = (
                f"{settings} {unit}{'' if settings == 1 else 's'} with leakage and this predictor; "
                f"at least {LEAST} are needed"
            )
        else:
            fits = Fits.of(
                chosen["leakage"].to_numpy(float), chosen[unit].to_numpy(str), draws, seed
            )
            row |= _figures(name, figures[known].to_numpy(), fits)
            row["trusted"] = bool(row["r2_low"] > 0)
        yield row


def _figures(name: str, predictors: np.ndarray, fits: Fits) -> dict[str, float]:
    found = {"r2": fits.r2(predictors)}
    if name != "combined":
        found["rank"] = fits.rank_correlation(predictors[:, 0])
    if name in AS_LEAKAGE:
        found["r2_as_leakage"] = fits.r2_as_it_is(predictors[:, 0])
    figures = {}
    for each, values in found.items():
        low, high = over_draws(values[1:])
        figures |= {each: float(values[0]), f"{each}_low": low, f"{each}_high": high}
    return figures
