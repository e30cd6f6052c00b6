"""A law of leakage: a linear fit of measured leakage on figures that are known before training.

Its intervals come from the errors that it makes on behaviours it was not fitted on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from caveat.analysis.held_out_regression import HeldOutRegression
from caveat.analysis.rank_correlation import LEAST, spearman
from caveat.errors import CaveatError

CANDIDATES = (
    "elicitation", "nats_marked", "graded_elicitation", "loss_ratio", "first_order",
    "short_horizon", "similarity", "continuation_gain", "onset_gain", "expected_leakage",
)  # fmt: skip
"""Figures of a forecast that may enter a law."""
MOST_PREDICTORS = 2
"""Of one law: with four behaviours more would be fitted to each of them."""
LEVEL = 0.9
"""Of intervals of predictions, nominal."""
ROUNDING = 1e-9
"""So that .9 of 10 is 9 and not a little more."""
GAIN = 0.05
"""A second predictor must raise R2 by more: of some twenty pairs the best one gains by chance."""


@dataclass(frozen=True)
class Law:
    """Predictors, and the cells that a line through them is fitted on."""

    predictors: tuple[str, ...]
    values: np.ndarray
    """Shape (cells, predictors)."""
    leakage: np.ndarray
    """Shape (cells,): measured."""
    behaviours: np.ndarray
    """Shape (cells,): of each cell."""
    models: tuple[str, ...]
    """Names of the models that the cells are of."""

    @classmethod
    def of(cls, cells: pd.DataFrame, predictors: Sequence[str]) -> Law:
        """A law fitted on the cells of `forecast_cells` that have leakage and all predictors.

        Raises CaveatError with fewer than three behaviours among them.
        """
        values = cells[[*predictors]].astype(float)
        usable = cells["leakage"].notna() & np.isfinite(values).all(axis=1)
        rows = cells[usable]
        behaviours = rows["behaviour"].nunique()
        if behaviours < LEAST:
            raise CaveatError(
                f"a law through {', '.join(predictors)}: {len(rows)} cells of {behaviours} "
                f"behaviours have them and a leakage; at least {LEAST} behaviours are needed"
            )
        return cls(
            tuple(predictors),
            values[usable].to_numpy(),
            rows["leakage"].to_numpy(float),
            rows["behaviour"].to_numpy(str),
            tuple(sorted(set(rows["model"]))),
        )

    def held_out_r2(self) -> float:
        """R2 on held-out behaviours, at most 1; see `HeldOutRegression.r2`."""
        regression = HeldOutRegression.of(self.leakage, self.behaviours, draws=0, seed=0)
        return float(regression.r2(self.values)[0])

    def coefficients(self) -> np.ndarray:
        """Shape (1 + predictors,): the intercept, then each slope."""
        return _fitted(self.values, self.leakage)

    def predicted(self, values: np.ndarray) -> np.ndarray:
        """Leakage of new cells, not clipped. `values`: shape (new, predictors)."""
        return _line(self.coefficients(), values)

    def interval(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Limits of leakage of new cells, nominally at `LEVEL`, each of shape (new,).

        CV+ (Barber, Candes, Ramdas & Tibshirani 2021, "Predictive inference with the jackknife+",
        section 3), a behaviour left out at a time. Its guarantee, about 2 `LEVEL` - 1, is for cells
        that are exchangeable with the fitted ones: not for a new behaviour or model, for which the
        level is a description. Infinite where the cells are too few for the level.
        """
        lows, highs = [], []
        for behaviour in np.unique(self.behaviours):
            out = self.behaviours == behaviour
            coefficients = _fitted(self.values[~out], self.leakage[~out])
            errors = np.abs(self.leakage[out] - _line(coefficients, self.values[out]))
            new = _line(coefficients, values)
            lows.append(new - errors[:, None])
            highs.append(new + errors[:, None])
        low, high = np.sort(np.vstack(lows), axis=0), np.sort(np.vstack(highs), axis=0)
        cells = len(self.leakage)
        below = math.floor((1 - LEVEL) * (cells + 1) + ROUNDING)  # ranks from 1, as in the paper
        above = math.ceil(LEVEL * (cells + 1) - ROUNDING)
        if below < 1 or above > cells:
            return np.full(len(values), -np.inf), np.full(len(values), np.inf)
        return low[below - 1], high[above - 1]

    def coarse(self, values: np.ndarray) -> np.ndarray:
        """The law as a yes or a no: by whether it predicts more than one half.

        Each new cell gets the mean leakage of the fitted cells on its side; with none, 0 or 1.
        """
        fitted, new = self.predicted(self.values) > 0.5, self.predicted(values) > 0.5
        mean = {
            side: float(self.leakage[fitted == side].mean())
            if (fitted == side).any()
            else float(side)
            for side in (False, True)
        }
        return np.where(new, mean[True], mean[False])

    def record(self) -> dict[str, Any]:
        """Plain values that `json.dumps` takes; `law_of_record` reads them."""
        return {
            "predictors": list(self.predictors),
            "coefficients": [float(value) for value in self.coefficients()],
            "r2_behaviours": self.held_out_r2(),
            "models": list(self.models),
            "cells": [
                {"values": list(map(float, values)), "leakage": float(leakage), "behaviour": name}
                for values, leakage, name in zip(
                    self.values, self.leakage, map(str, self.behaviours), strict=True
                )
            ],
        }


def law_of_record(record: dict[str, Any]) -> Law:
    """The law that `record` describes. Raises KeyError, TypeError or ValueError for another one."""
    cells, predictors = record["cells"], tuple(record["predictors"])
    law = Law(
        predictors,
        np.array([cell["values"] for cell in cells], float),
        np.array([cell["leakage"] for cell in cells], float),
        np.array([cell["behaviour"] for cell in cells], str),
        tuple(record["models"]),
    )
    if not predictors or not set(predictors) <= set(CANDIDATES):
        raise ValueError("no predictors of a law")
    if not cells or law.values.shape != (len(cells), len(predictors)):
        raise ValueError("the cells do not have the predictors")
    return law


def simplest_law(cells: pd.DataFrame, candidates: Sequence[str] = CANDIDATES) -> Law:
    """The law with the highest R2 on held-out behaviours, of all with one predictor or two.

    Two predictors must be better than the best single one by more than `GAIN`. All laws are
    compared over the same cells: those that have every candidate that is defined in most of them.

    Raises CaveatError where no law can be fitted.
    """
    defined = [name for name in candidates if name in cells and cells[name].notna().mean() > 0.5]
    laws = list(_laws(cells.dropna(subset=defined), defined))
    if not laws:
        raise CaveatError("a law: none of the forecasts has figures; give others with --from")
    best = laws[0]
    for law in laws[1:]:
        dearer = len(law.predictors) > len(best.predictors)
        if law.held_out_r2() > best.held_out_r2() + (GAIN if dearer else 0):
            best = law
    return best


def _laws(cells: pd.DataFrame, candidates: Sequence[str]) -> Iterator[Law]:
    for number in range(1, MOST_PREDICTORS + 1):
        for predictors in combinations(candidates, number):
            yield Law.of(cells, predictors)


def prediction_scores(predictions: pd.DataFrame) -> dict[str, float]:
    """How well predictions met what was measured, nothing fitted afterwards.

    Args:
        predictions: Columns `predicted`, `low`, `high`, `coarse` and `leakage`, one row a cell.

    `r2` is 1 less the squared errors over those about the mean of the measured cells, which the
    predictions did not know; `r2_coarse` the same of the yes or no; `error` the mean absolute
    error; `rank` Spearman's correlation; `covered` the share of cells inside their interval.
    """
    measured = predictions["leakage"].to_numpy(float)
    about_mean = float(((measured - measured.mean()) ** 2).sum())

    def r2(column: str) -> float:
        errors = measured - predictions[column].to_numpy(float)
        return 1 - float((errors**2).sum()) / about_mean if about_mean else float("nan")

    predicted = predictions["predicted"].to_numpy(float)
    low = predictions["low"].astype(float).fillna(-np.inf)
    high = predictions["high"].astype(float).fillna(np.inf)
    inside = (low <= measured) & (measured <= high)
    return {
        "cells": len(predictions),
        "r2": r2("predicted"),
        "r2_coarse": r2("coarse"),
        "error": float(np.abs(measured - predicted).mean()),
        "rank": spearman(predicted[None], measured[None]).item(),
        "covered": float(inside.mean()),
    }


def _fitted(values: np.ndarray, leakage: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(values)), values])
    return np.linalg.lstsq(design, leakage, rcond=None)[0]


def _line(coefficients: np.ndarray, values: np.ndarray) -> np.ndarray:
    return coefficients[0] + values @ coefficients[1:]
