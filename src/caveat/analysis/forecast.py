"""Forecasts joined to the leakage that was measured afterwards, and scored against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from caveat.analysis.held_out_regression import HeldOutRegression
from caveat.analysis.intervals import interval_columns
from caveat.analysis.leakage import with_reasons
from caveat.analysis.primary import primary_rows
from caveat.analysis.rank_correlation import LEAST, percentile_limits

FORECAST_KEY = ["setting", "model", "dose", "arm"]
"""What a forecast and a measured leakage are joined by."""


def forecast_cells(forecasts: Sequence[dict[str, Any]], leakage: pd.DataFrame) -> pd.DataFrame:
    """One row a forecast, with its `position` among them and the `leakage` measured at `none`.

    Leakage is NaN where it is undefined or was not measured; `left_out` then says which, else it is
    "". Where a setting has several readouts or scopes, the leakage is that of its primary one (see
    `analysis.primary`). Of a cell that is there twice, in forecasts or studies, the first
    counts.

    Args:
        forecasts: Records as `caveat forecast --json` prints them.
        leakage: Rows of `Study.leakage()`, of one study or several.
    """
    table = pd.DataFrame(forecasts)
    table = table.assign(dose=table["dose"].map(_canonical), position=range(len(table)))
    cells = table.drop_duplicates(FORECAST_KEY)
    measured = primary_rows(leakage)
    measured = measured[(measured["context"] == "none") & measured["arm"].isin(cells["arm"])]
    measured = measured.assign(dose=measured["dose"].map(json.loads).map(_canonical))
    measured = measured.drop_duplicates(FORECAST_KEY)[[*FORECAST_KEY, "leakage", "undefined"]]
    measured = measured.rename(columns={"undefined": "left_out"})
    joined = cells.merge(measured, on=FORECAST_KEY, how="left", indicator=True)
    missing = joined["_merge"] == "left_only"
    undefined = ~missing & joined["leakage"].isna()
    reasons = missing.map({True: "not measured", False: ""}).where(~undefined, "leakage undefined")
    return joined.assign(left_out=reasons).drop(columns="_merge")


def _canonical(dose: dict[str, Any]) -> str:
    return json.dumps(dose, sort_keys=True)


PREDICTORS = (
    "elicitation", "loss_gap", "loss_ratio", "first_order", "short_horizon", "similarity",
    "nats_marked", "graded_elicitation", "continuation_gain", "onset_gain", "expected_leakage",
)  # fmt: skip
LATER = (
    "nats_marked", "graded_elicitation", "continuation_gain", "onset_gain", "expected_leakage",
)  # fmt: skip
"""Predictors that forecasts lack which were saved before these existed."""
AS_LEAKAGE = ("first_order", "short_horizon", "expected_leakage")
"""Predictors that are on leakage's own scale: 1 is as bare training, 0 is none of it."""
COMBINED = ("elicitation", "loss_ratio", "first_order", "short_horizon")
ALL, PLAIN, TREATED = "all marked arms", "marked", "marked with an intervention"
UNITS = {"r2": "setting", "r2_behaviours": "behaviour", "r2_models": "model"}
"""By the R2, what is left out at a time."""
METRICS = (
    "rank", *(f"{name}{end}" for name in UNITS for end in ("", "_yes_no", "_gain")),
    "r2_as_leakage",
)  # fmt: skip
COLUMNS = [
    "arms", "predictor", "cells", "settings", "behaviours", "left_out",
    *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")), "trusted", "undefined",
]  # fmt: skip


def forecast_scores(cells: pd.DataFrame, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row a predictor, over all marked arms, `marked` alone, and those with interventions.

    - `rank`: Spearman's correlation with leakage, over cells.
    - `r2`: of a straight line through the predictor (`combined`: through several) that is fitted on
      all settings but one and applied to that one; see `HeldOutRegression.r2`. A setting is a
      behaviour and a caveat, on all models and at all doses.
    - `r2_behaviours`: the same with a behaviour, under all its caveats, left out at a time;
      `r2_models`: with a model.
    - `r2_yes_no`, `r2_behaviours_yes_no`, `r2_models_yes_no`: the same of the predictor as a yes or
      a no, split half-way between its least and its most (see `yes_no`). `_gain`: by how much the
      predictor is better than that. Where its limits hold 0, a coarse yes or no would do as well.
    - `r2_as_leakage`: of the predictor taken for the leakage itself, where it is on that scale.

    Limits are 95% percentiles over resampled settings, of `r2_behaviours` over resampled
    behaviours, of `r2_models` over models; fitted anew in each. `trusted`: the lower limit of `r2`
    is above 0. `cells` are those with a leakage and the predictor, `left_out` the forecasts that
    lack one. `undefined` says why there are no values: too few settings. With as few behaviours, or
    models, that R2 is NaN.

    Args:
        cells: See `forecast_cells`.
        draws: Resamples behind the limits.
        seed: Of the resamples.
    """
    rows = [
        {"arms": arms, **row}
        for arms, subset in _subsets(cells)
        for row in _scores(subset, draws, seed)
    ]
    return with_reasons(pd.DataFrame(rows, columns=COLUMNS))


def _subsets(cells: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    plain = cells["arm"] == "marked"
    yield ALL, cells
    if plain.any() and not plain.all():
        yield PLAIN, cells[plain]
        yield TREATED, cells[~plain]


def _scores(cells: pd.DataFrame, draws: int, seed: int) -> Iterator[dict]:
    for name in (*PREDICTORS, "combined"):
        columns = COMBINED if name == "combined" else (name,)
        if name in LATER and name not in cells:
            continue
        predictors = cells[[*columns]].astype(float)
        usable = cells["leakage"].notna() & np.isfinite(predictors).all(axis=1)
        rows = cells[usable]
        settings, behaviours = (rows[unit].nunique() for unit in ("setting", "behaviour"))
        score = {
            "predictor": name,
            "cells": len(rows),
            "settings": settings,
            "behaviours": behaviours,
            "left_out": len(cells) - len(rows),
            "trusted": False,
        }
        if settings < LEAST:
            score["undefined"] = (
                f"{settings} setting{'' if settings == 1 else 's'} with leakage and this "
                f"predictor; at least {LEAST} are needed"
            )
        else:
            values, leakage = predictors[usable].to_numpy(), rows["leakage"].to_numpy(float)
            for metric, unit in UNITS.items():
                if rows[unit].nunique() < LEAST:
                    continue
                held_out = HeldOutRegression.of(leakage, rows[unit].to_numpy(str), draws, seed)
                if unit == "setting":
                    score |= _metrics(name, values, held_out)
                score |= _r2(metric, values, held_out)
            score["trusted"] = bool(score["r2_low"] > 0)
        yield score


def _metrics(name: str, predictors: np.ndarray, by_setting: HeldOutRegression) -> dict[str, float]:
    metrics: dict[str, float] = {}
    if name != "combined":
        metrics |= _with_limits("rank", by_setting.rank_correlation(predictors[:, 0]))
    if name in AS_LEAKAGE:
        metrics |= _with_limits("r2_as_leakage", by_setting.r2_unfitted(predictors[:, 0]))
    return metrics


def _r2(metric: str, predictors: np.ndarray, held_out: HeldOutRegression) -> dict[str, float]:
    graded, coarse = held_out.r2(predictors), held_out.r2(yes_no(predictors))
    values = {"": graded, "_yes_no": coarse, "_gain": graded - coarse}
    columns: dict[str, float] = {}
    for end, value in values.items():
        columns |= _with_limits(f"{metric}{end}", value)
    return columns


def yes_no(predictors: np.ndarray) -> np.ndarray:
    """Shape (cells, predictors): 1.0 where a predictor is above the middle of its range, else 0.0.

    Of elicitation that is a base model that shows the behaviour in more than about half of its
    answers; no leakage enters the split.
    """
    return (predictors > (predictors.min(0) + predictors.max(0)) / 2).astype(float)


def _with_limits(name: str, values: np.ndarray) -> dict[str, float]:
    """The first value with its limits over the others, the resamples."""
    return interval_columns(name, (float(values[0]), *percentile_limits(values[1:])))
