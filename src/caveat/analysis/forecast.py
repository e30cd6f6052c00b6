"""Forecasts joined to measured leakage, and scored.

Forecasts beside what was measured: one row a marked arm of a setting.

How good forecasts were: scored against the leakage that was measured afterwards.

Scores of forecasts as plain records, as `caveat forecast --json --against` prints them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from caveat.analysis.held_out_regression import Fits
from caveat.analysis.rank_correlation import LEAST, over_draws

CELL = ["setting", "model", "dose", "arm"]
"""What a forecast and a measured leakage are joined by."""


def forecast_cells(forecasts: Sequence[dict[str, Any]], leakage: pd.DataFrame) -> pd.DataFrame:
    """The forecasts, each with its `place` among them and the `leakage` measured without caveat.

    Leakage is NaN where it is undefined or was not measured; `left_out` then says which, else it is
    "". Where a setting has several readouts or scopes, it is that of scope `trained` with the most
    question clusters. Of a cell that is there twice, in forecasts or in studies, the first counts.

    Args:
        forecasts: Records as `caveat forecast --json` prints them.
        leakage: Rows of `Study.leakage()`, of one study or several.
    """
    table = pd.DataFrame(forecasts)
    named = table.assign(dose=table["dose"].map(_canonical), place=range(len(table)))
    cells = named.drop_duplicates(CELL)
    asked = (leakage["context"] == "none") & leakage["arm"].isin(cells["arm"])
    measured = _main(leakage[asked])
    measured = measured.assign(dose=measured["dose"].map(json.loads).map(_canonical))
    measured = measured.drop_duplicates(CELL)[[*CELL, "leakage", "undefined"]]
    measured = measured.rename(columns={"undefined": "left_out"})
    joined = cells.merge(measured, on=CELL, how="left", indicator=True)
    missing = joined["_merge"] == "left_only"
    undefined = ~missing & joined["leakage"].isna()
    reasons = missing.map({True: "not measured", False: ""}).where(~undefined, "leakage undefined")
    return joined.assign(left_out=reasons).drop(columns="_merge")


def _canonical(dose: dict[str, Any]) -> str:
    return json.dumps(dose, sort_keys=True)


def _main(leakage: pd.DataFrame) -> pd.DataFrame:
    """Of each arm, the readout and scope that stands for its setting: as `main_panels` chooses."""
    order = leakage.assign(
        broad=leakage["scope"] != "trained", fewer=-leakage["clusters"].astype(int)
    ).sort_values(["broad", "fewer", "readout"], kind="stable")
    return order.drop_duplicates(CELL)


PREDICTORS = (
    "elicitation", "loss_gap", "loss_ratio", "first_order", "short_horizon", "similarity",
)  # fmt: skip
AS_LEAKAGE = ("first_order", "short_horizon")
"""Predictors that are on leakage's own scale: 1 is as bare training, 0 is none of it."""
COMBINED = ("elicitation", "loss_ratio", "first_order", "short_horizon")
ALL, PLAIN, TREATED = "all marked arms", "marked", "marked with an intervention"
METRICS = ("rank", "r2", "r2_behaviours", "r2_as_leakage")
COLUMNS = [
    "arms", "predictor", "cells", "settings", "behaviours", "left_out",
    *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")), "trusted", "undefined",
]  # fmt: skip


def forecast_scores(cells: pd.DataFrame, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row a predictor, over all marked arms, `marked` alone, and those with interventions.

    - `rank`: Spearman's correlation with leakage, over cells.
    - `r2`: of a straight line through the predictor (`combined`: through several) that is fitted on
      all settings but one and asked of that one; see `Fits.r2`. A setting is a behaviour and a
      caveat, on all models and at all doses.
    - `r2_behaviours`: the same with a behaviour, under all its caveats, left out at a time.
    - `r2_as_leakage`: of the predictor taken for the leakage itself, where it is on that scale.

    Limits are 95% percentiles over resampled settings, of `r2_behaviours` over resampled
    behaviours; of both, fitted anew in each. `trusted`: the lower limit of `r2` is above 0. `cells`
    are those with a leakage and the predictor, `left_out` the forecasts that lack one. `undefined`
    says why there are no figures: too few settings. With as few behaviours, `r2_behaviours` is NaN.

    Args:
        cells: See `forecast_cells`.
    """
    rows = [
        {"arms": arms, **row}
        for arms, chosen in _subsets(cells)
        for row in _scored(chosen, draws, seed)
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


def _scored(cells: pd.DataFrame, draws: int, seed: int) -> Iterator[dict]:
    for name in (*PREDICTORS, "combined"):
        columns = COMBINED if name == "combined" else (name,)
        figures = cells[[*columns]].astype(float)
        known = cells["leakage"].notna() & np.isfinite(figures).all(axis=1)
        chosen = cells[known]
        settings, behaviours = (chosen[unit].nunique() for unit in ("setting", "behaviour"))
        row = {
            "predictor": name,
            "cells": len(chosen),
            "settings": settings,
            "behaviours": behaviours,
            "left_out": len(cells) - len(chosen),
            "trusted": False,
        }
        if settings < LEAST:
            row["undefined"] = (
                f"{settings} setting{'' if settings == 1 else 's'} with leakage and this "
                f"predictor; at least {LEAST} are needed"
            )
        else:
            predictors, leakage = figures[known].to_numpy(), chosen["leakage"].to_numpy(float)
            fits, over_behaviours = (
                Fits.of(leakage, chosen[unit].to_numpy(str), draws, seed)
                for unit in ("setting", "behaviour")
            )
            row |= _figures(name, predictors, fits)
            if behaviours >= LEAST:
                row |= _limited("r2_behaviours", over_behaviours.r2(predictors))
            row["trusted"] = bool(row["r2_low"] > 0)
        yield row


def _figures(name: str, predictors: np.ndarray, fits: Fits) -> dict[str, float]:
    found = {"r2": fits.r2(predictors)}
    if name != "combined":
        found["rank"] = fits.rank_correlation(predictors[:, 0])
    if name in AS_LEAKAGE:
        found["r2_as_leakage"] = fits.r2_as_it_is(predictors[:, 0])
    return {end: each for part in found.items() for end, each in _limited(*part).items()}


def _limited(name: str, values: np.ndarray) -> dict[str, float]:
    """The value as it is, with its limits over the draws behind it."""
    low, high = over_draws(values[1:])
    return {name: float(values[0]), f"{name}_low": low, f"{name}_high": high}
