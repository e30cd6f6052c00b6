"""What a factor changes: from setting to setting, in the mean, and together with another factor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from caveat.analysis.differences import holm
from caveat.analysis.ladder.behaviour_panels import BehaviourPanel
from caveat.analysis.ladder.contrasts import Contrasts, leakage_contrasts, rate_contrasts
from caveat.analysis.ladder.factors import Change, Factorial, Step, factorials, steps

METRICS = ("leakage_change", "rate_change")
"""Each has a column of its own, limits in `_low` and `_high`, p-values in `_p`, `_p_holm`
and, of the t-test over training seeds, `_p_seeds`."""
METRIC_COLUMNS = [
    f"{name}{end}" for name in METRICS for end in ("", "_low", "_high", "_p", "_p_holm", "_p_seeds")
]
STEPS = [
    "factor", "start", "end", "others", "first", "second", "first_setting", "second_setting",
    "paired", *METRIC_COLUMNS, "undefined", "interval",
]  # fmt: skip
EFFECTS = [
    "factor", "start", "end", "pairs", "rate_pairs", *METRIC_COLUMNS, "undefined", "interval",
]  # fmt: skip
SIDES = ("first", "second")
INTERACTIONS = [
    *(f"{side}_{name}" for side in SIDES for name in ("factor", "start", "end")),
    "others", "settings", *METRIC_COLUMNS, "undefined", "interval",
]  # fmt: skip
Weights = np.ndarray | None
"""Shape (settings,); None where a value is missing on one side."""


class Changes:
    """Steps, effects and interactions of a ladder's settings, as frames.

    `leakage_change` is of marked's leakage, NaN where `undefined` says why; `rate_change` of
    R(marked, none) - R(base, none), which needs no bare arm. p-values are corrected by Holm over
    all rows of a frame. Intervals say how far other trainings and questions would move the values
    of these very settings, not how other settings would do.
    """

    def __init__(self, settings: pd.DataFrame, behaviours: Sequence[BehaviourPanel]) -> None:
        self.settings = settings.to_dict("records")
        self.behaviours = behaviours
        self.factors = [json.loads(setting["factors"]) for setting in self.settings]
        self.with_leakage = {
            index for index, setting in enumerate(self.settings) if not setting["undefined"]
        }
        self.with_rate = {
            index for index, setting in enumerate(self.settings) if pd.notna(setting["leaks"])
        }

    def steps(self) -> pd.DataFrame:
        """One row a pair of settings that differ in one factor, with the columns `STEPS`.

        `first` and `second` are the settings' numbers; the change goes from the first, at the level
        `start`, to the second. `paired`: both are of one behaviour, so that they share questions
        and seeds; else they count as independent.
        """
        pairs = steps(self.factors)
        return self._frame(STEPS, map(self._step, pairs), [[step] for step in pairs], self._mean)

    def effects(self) -> pd.DataFrame:
        """One row a factor and two of its levels, with the columns `EFFECTS`: the mean of its steps
        over the `pairs` that have a leakage at both ends, or a rate (`rate_pairs`)."""
        by_change: dict[Change, list[Step]] = {}
        for step in steps(self.factors):
            by_change.setdefault(step.change, []).append(step)
        rows = (self._effect(*item) for item in by_change.items())
        return self._frame(EFFECTS, rows, list(by_change.values()), self._mean)

    def interactions(self) -> pd.DataFrame:
        """One row a 2 x 2 factorial, with the columns `INTERACTIONS`.

        The change of the first factor at the second's `end` less the same at the second's `start`.
        `settings` are the numbers of its settings; several in one cell are averaged.
        """
        grids = factorials(self.factors)
        rows = map(self._interaction, grids)
        return self._frame(INTERACTIONS, rows, grids, self._difference_of_differences)

    def _step(self, step: Step) -> dict[str, Any]:
        first, second = self.settings[step.first], self.settings[step.second]
        return {
            **asdict(step.change),
            "others": _json(step.others),
            **{"first": first["number"], "second": second["number"]},
            **{"first_setting": first["setting"], "second_setting": second["setting"]},
            "paired": first["behaviour"] == second["behaviour"],
            "undefined": self._reason(step.first, step.second),
        }

    def _effect(self, change: Change, pairs_of_factor: Sequence[Step]) -> dict[str, Any]:
        pairs, rate_pairs = (
            len(_complete(pairs_of_factor, usable))
            for usable in (self.with_leakage, self.with_rate)
        )
        reason = None if pairs else "no pair has a leakage at both ends"
        return {**asdict(change), "pairs": pairs, "rate_pairs": rate_pairs, "undefined": reason}

    def _interaction(self, factorial: Factorial) -> dict[str, Any]:
        indices = [index for row in factorial.cells for cell in row for index in cell]
        complete = self._difference_of_differences(factorial, self.with_leakage) is not None
        return {
            **{f"first_{name}": value for name, value in asdict(factorial.one).items()},
            **{f"second_{name}": value for name, value in asdict(factorial.other).items()},
            "others": _json(factorial.others),
            "settings": ", ".join(str(self.settings[index]["number"]) for index in indices),
            "undefined": None if complete else self._reason(*indices),
        }

    def _reason(self, *indices: int) -> str | None:
        """Why the leakages of settings are undefined, None where they are defined."""
        settings = [self.settings[index] for index in indices]
        reasons = [f"{row['setting']}: {row['undefined']}" for row in settings if row["undefined"]]
        return "; ".join(dict.fromkeys(reasons)) or None

    def _mean(self, pairs: Sequence[Step], usable: set[int]) -> Weights:
        complete = _complete(pairs, usable)
        if not complete:
            return None
        return sum(self._at(step.second) - self._at(step.first) for step in complete) / len(
            complete
        )

    def _difference_of_differences(self, factorial: Factorial, usable: set[int]) -> Weights:
        cells = [
            [[index for index in cell if index in usable] for cell in row]
            for row in factorial.cells
        ]
        if not all(cell for row in cells for cell in row):
            return None
        (neither, second), (first, both) = [
            [sum(map(self._at, cell)) / len(cell) for cell in row] for row in cells
        ]
        return (both - second) - (first - neither)

    def _at(self, index: int) -> np.ndarray:
        return np.eye(1, len(self.settings), index)[0]

    def _frame(
        self,
        columns: list[str],
        rows: Iterable[dict[str, Any]],
        items: Sequence[Any],
        weigh: Callable[[Any, set[int]], Weights],
    ) -> pd.DataFrame:
        """The rows with their metrics, in the order of `items`."""
        table = pd.DataFrame(list(rows), index=range(len(items)))
        for name, usable, contrasts in (
            ("rate_change", self.with_rate, rate_contrasts),
            ("leakage_change", self.with_leakage, leakage_contrasts),
        ):
            weights = {index: weigh(item, usable) for index, item in enumerate(items)}
            weights = {index: row for index, row in weights.items() if row is not None}
            metrics = _metrics(name, weights, partial(contrasts, self.behaviours))
            table = metrics.reindex(table.index).combine_first(table)
        return table.reindex(columns=columns).pipe(_without_nan_text)


def _complete(pairs: Sequence[Step], usable: set[int]) -> list[Step]:
    """The steps both ends of which are usable."""
    return [step for step in pairs if {step.first, step.second} <= usable]


def _metrics(
    name: str, weights: dict[int, np.ndarray], contrasts: Callable[[np.ndarray], Contrasts]
) -> pd.DataFrame:
    """The columns of one metric and `interval`, by the rows' indices."""
    if not weights:
        return pd.DataFrame(columns=["interval"])
    values = contrasts(np.stack(list(weights.values())))
    columns = {
        name: values.value,
        f"{name}_low": values.low,
        f"{name}_high": values.high,
        f"{name}_p": values.p,
        f"{name}_p_holm": holm(values.p),
        f"{name}_p_seeds": values.p_seeds,
        "interval": values.interval,
    }
    return pd.DataFrame(columns, index=list(weights))


def _without_nan_text(table: pd.DataFrame) -> pd.DataFrame:
    texts = {
        name: table[name].astype(object).where(table[name].notna(), empty)
        for name, empty in (("undefined", None), ("interval", ""))
    }
    return table.assign(**texts)


def _json(factors: dict[str, str]) -> str:
    return json.dumps(factors, ensure_ascii=False)
