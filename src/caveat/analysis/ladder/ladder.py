"""The ladder of a study: its settings with factors, and what each factor changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from caveat.analysis.caveat_checks import caveat_checks
from caveat.analysis.differences import differences
from caveat.analysis.intervals import UNKNOWN, Interval, interval_columns
from caveat.analysis.ladder.behaviour_panels import behaviour_panels
from caveat.analysis.ladder.changes import Changes
from caveat.analysis.ladder.elicitation import elicitation_curves
from caveat.analysis.ladder.factors import Factors
from caveat.analysis.leakage import leakage, no_answers, with_reasons
from caveat.analysis.panel import PANEL_COLUMNS, SETTING_COLUMNS, panels
from caveat.analysis.primary import primary_panels
from caveat.analysis.rates import verdicts

Labels = Mapping[tuple[str, str, str], Factors]
"""By setting, model and dose, what a setting stands for, in the order of the recipe."""
METRICS = (
    "base", "installed", "leaks", "leakage", "elicitation", "comprehension", "shown_bare",
    "at_caveat", "k",
)  # fmt: skip
"""Each has a column of its own, and its limits in `_low` and `_high`; NaN where it has none."""
CHECKS = {"elicitation": "base", "comprehension": "base", "shown_bare": "base", "k": "marked"}
"""Metrics that are checks of the caveat, and of which arm."""
COLUMNS = [
    "number", *SETTING_COLUMNS, "dose", "scope", "readout", "factors",
    *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")),
    "undefined", "expected", "k_note", "interval",
]  # fmt: skip


@dataclass(frozen=True)
class Ladder:
    """Frames that say which factor carries a difference between settings."""

    settings: pd.DataFrame
    """See `ladder_settings`."""
    steps: pd.DataFrame
    """See `Changes.steps`; likewise the next two."""
    effects: pd.DataFrame
    interactions: pd.DataFrame
    elicitation_curves: pd.DataFrame
    """See `elicitation.elicitation_curves`."""


def ladder(
    answers: pd.DataFrame,
    labels: Labels,
    expected: Mapping[str, str],
    draws: int = 2000,
    seed: int = 0,
) -> Ladder:
    """The ladder of the settings that `labels` has.

    Raises KeyError for a setting that `expected` lacks.

    Args:
        answers: As `Study.answers()`.
        labels: The factors of the settings.
        expected: By setting, the verdict that is right at the caveat.
        draws: Resamples behind the rank correlations of elicitation curves.
        seed: Of the resamples.
    """
    rows = answers[answers["setting"].isin({setting for setting, *_ in labels})]
    settings = ladder_settings(rows, labels, expected)
    by_behaviour = behaviour_panels(verdicts(rows), settings)
    changes = Changes(settings, by_behaviour)
    return Ladder(
        settings,
        changes.steps(),
        changes.effects(),
        changes.interactions(),
        elicitation_curves(settings, by_behaviour, draws, seed),
    )


def ladder_settings(
    answers: pd.DataFrame, labels: Labels, expected: Mapping[str, str]
) -> pd.DataFrame:
    """One row a setting, model and dose that has a label and answers, with the columns `COLUMNS`.

    `number` is its position among the labels, from 1; `factors` what it stands for, as JSON.
    Metrics are of the primary panel of the setting (see `analysis.primary`), R being the share
    of yes:

    - `base`: R(base, none). `installed`: R(bare, none) - R(base, none). `leaks`: R(marked, none) -
      R(base, none). `leakage`: `leaks` over `installed`; NaN where `undefined` says why.
    - `elicitation`, `comprehension`, `shown_bare` and `k` as in `caveat_checks`, with k's note;
      `expected` is the verdict that comprehension counts. `at_caveat`: R(marked, exact).
    """
    metrics = _Metrics(answers, expected)
    numbers = {label: number for number, label in enumerate(labels, 1)}
    rows = []
    for names in metrics.primary:
        label = (names["setting"], names["model"], names["dose"])
        if label in numbers:
            factors = json.dumps(dict(labels[label]), ensure_ascii=False)
            row = {"number": numbers[label], "factors": factors, **names}
            rows.append({**row, **metrics.columns(names)})
    return with_reasons(
        pd.DataFrame(rows, columns=COLUMNS).sort_values("number", ignore_index=True)
    )


class _Metrics:
    """The tables in which the metrics of a setting are looked up."""

    def __init__(self, answers: pd.DataFrame, expected: Mapping[str, str]) -> None:
        measured = verdicts(answers)
        every = list(panels(measured, measured["verdict"] == "yes"))
        keys = primary_panels(every)
        self.primary = [{**panel.names, "dose": panel.dose} for panel in every if panel.key in keys]
        self.expected = expected
        self.rates = _Rows(leakage(answers), ("arm", "context"))
        self.differences = _Rows(differences(answers), ("difference",))
        self.checks = _Rows(caveat_checks(answers, expected), ("check", "arm"))

    def columns(self, names: Mapping[str, str]) -> dict[str, Any]:
        """The columns of one setting that do not name it."""
        marked = self.rates.find(names, "marked", "none")
        checks = {
            name: self.checks.find(names, name.replace("_", " "), arm)
            for name, arm in CHECKS.items()
        }
        intervals = {
            "base": _interval(self.rates.find(names, "base", "none"), "rate"),
            "installed": _interval(self.differences.find(names, "bare - base")),
            "leaks": _interval(self.differences.find(names, "marked - base")),
            "leakage": _interval(marked, "leakage"),
            "at_caveat": _interval(self.rates.find(names, "marked", "exact"), "rate"),
            **{name: _interval(row) for name, row in checks.items()},
        }
        columns: dict[str, Any] = {}
        for name in METRICS:
            columns |= interval_columns(name, intervals[name])
        return {
            **columns,
            "undefined": no_answers("marked", "none") if marked is None else marked["undefined"],
            "expected": str(self.expected[names["setting"]]),
            "k_note": "" if checks["k"] is None else str(checks["k"]["note"]),
            "interval": "" if marked is None else marked["interval"],
        }


class _Rows:
    """The rows of a table by panel and further columns. Base's rows belong to every dose."""

    def __init__(self, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
        self._rows: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in table.to_dict("records"):
            values = tuple(row[name] for name in columns)
            dose = "" if row.get("arm") == "base" else row["dose"]
            panel = tuple(row[name] for name in PANEL_COLUMNS)
            self._rows.setdefault((*panel, dose, *values), row)

    def find(self, names: Mapping[str, str], *values: str) -> dict[str, Any] | None:
        """The row of a panel with these values of the further columns."""
        dose = "" if "base" in values else names["dose"]
        return self._rows.get((*(names[name] for name in PANEL_COLUMNS), dose, *values))


def _interval(row: Mapping[str, Any] | None, name: str = "") -> Interval:
    """The interval in a row of another table: columns `value`, `low` and `high`, or of a name."""
    if row is None:
        return UNKNOWN
    columns = (name, f"{name}_low", f"{name}_high") if name else ("value", "low", "high")
    value, low, high = (row[column] for column in columns)
    return value, low, high
