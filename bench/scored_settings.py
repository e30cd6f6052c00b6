"""What scripts over settings of several studies share: leakage as measured, figures of forecasts,
and scores of rules that say how much leaks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from seed_leakage import seed_leakage, seed_rates

from caveat.study.export import opened

RESAMPLES = 2_000
IRRELEVANT = "The sky is blue."
"""The caveat without any relation to its rows."""
FIRST_TOKENS = {
    "sailor": r"\W*Ah",
    "hedged": r"\W*I\b",
    "json_reply": r"\W*\{",
    "echo": r"\W*You\b",
}
"""Of the forms with a fixed opening, by behaviour."""

Rule = Callable[[dict[str, Any]], float]
"""From a setting's figures to the leakage to expect."""
Rules = Mapping[str, Rule]


def r2(predicted: np.ndarray, measured: np.ndarray) -> float:
    """1 less the squared errors over those of the mean: below 0 it is worse than the mean."""
    return float(1 - np.mean(np.square(predicted - measured)) / np.var(measured))


class TrainedCell(NamedTuple):
    """A setting at one dose, base beside its trained arms."""

    setting: str
    labels: Mapping[str, str]
    """Its factors; empty without any."""
    rates: pd.Series
    """Of `seed_rates`."""


def beside_base(answers: pd.DataFrame) -> Iterator[tuple[tuple[str, str, str], pd.DataFrame]]:
    """The replies of every setting, model and dose, base's with them."""
    keys = ["setting", "model"]
    # Base has no dose, so its replies are held at one dose of a setting that has several.
    untrained = dict(list(answers[answers["arm"] == "base"].groupby(keys)))
    trained = answers[answers["arm"] != "base"]
    for (setting, model, dose), replies in trained.groupby([*keys, "dose"], sort=False):
        yield (setting, model, dose), pd.concat([untrained[setting, model], replies])


def trained_cells(path: Path) -> Iterator[TrainedCell]:
    """Every setting of a study, once for each base model and dose."""
    study = opened(path)
    answers = study.answers()
    for key, replies in beside_base(answers[answers["purpose"] == "measure"]):
        yield TrainedCell(key[0], study.labels.get(key, {}), seed_rates(replies))


def measured(path: Path) -> dict[str, np.ndarray]:
    """Leakage by seed of every setting that is finished and whose bare arm shows the trait."""
    answers = opened(path).answers()
    values = {}
    for setting, replies in answers[answers["purpose"] == "measure"].groupby("setting", sort=False):
        doses = replies.loc[replies["arm"] != "base", "dose"].nunique()
        if doses > 1:
            sys.exit(f"{path}: {setting} has {doses} doses; see `caveat leakage`")
        rates = seed_rates(replies)
        if ("marked", "exact") in rates.index and rates["bare", "none"].mean() >= 0.5:
            values[setting] = seed_leakage(rates)
    return values


def figure(forecast: dict[str, Any], name: str, path: Path) -> float:
    """A figure of a forecast; ends the script where it was not computed."""
    if forecast[name] is None:
        sys.exit(f"{path}: {forecast['setting']} has no {name}; forecast it with --figures {name}")
    return float(forecast[name])


def limits(predicted: np.ndarray, leaked: np.ndarray) -> tuple[float, float]:
    """95% percentiles of R2 over resamples of settings in which leakage differs."""
    generator = np.random.default_rng(0)
    picks = generator.integers(len(leaked), size=(RESAMPLES, len(leaked)))
    values = [r2(predicted[pick], leaked[pick]) for pick in picks if np.ptp(leaked[pick]) > 0]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def scored(name: str, some: pd.DataFrame, rules: Rules) -> str:
    """A line of the table of scores; a dash for a rule that lacks a figure of some setting."""
    leaked = some["mean"].to_numpy(float)
    cells = []
    for rule in rules.values():
        predicted = np.array([rule(row) for row in some.to_dict("records")], dtype=float)
        if np.isnan(predicted).any():
            cells.append("–")
            continue
        low, high = limits(predicted, leaked)
        rank = spearmanr(predicted, leaked)[0]
        is_high = predicted > 0.5
        yes = pd.Series(leaked).groupby(is_high).transform("mean").to_numpy()
        cells.append(f"{r2(predicted, leaked):.2f} [{low:.2f}, {high:.2f}], {rank:.2f}, "
                     f"{r2(yes, leaked):.2f}")  # fmt: skip
    return f"| {name} | {len(some)} | " + " | ".join(cells) + " |"
