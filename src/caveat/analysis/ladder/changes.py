"""What a factor changes: from rung to rung, in the mean, and together with another factor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from caveat.analysis.differences import holm
from caveat.analysis.ladder.blocks import Block
from caveat.analysis.ladder.contrasts import Contrast, leakage_contrasts, rate_contrasts
from caveat.analysis.ladder.factors import Change, Square, Step, squares, steps

METRICS = ("leakage_change", "rate_change")
"""Each has a column of its own, limits in `_low` and `_high`, p-values in `_p` and `_p_holm`."""
TOLD = [f"{name}{end}" for name in METRICS for end in ("", "_low", "_high", "_p", "_p_holm")]
STEPS = [
    "factor", "start", "end", "others", "first", "second", "first_setting", "second_setting",
    "paired", *TOLD, "undefined", "interval",
]  # fmt: skip
EFFECTS = ["factor", "start", "end", "pairs", "rate_pairs", *TOLD, "undefined", "interval"]
SIDES = ("first", "second")
INTERACTIONS = [
    *(f"{side}_{name}" for side in SIDES for name in ("factor", "start", "end")),
    "others", "rungs", *TOLD, "undefined", "interval",
]  # fmt: skip
Weights = np.ndarray | None
"""Shape (rungs,); None where a figure is missing on one side."""


class Changes:
    """Steps, effects and interactions of a ladder's rungs, as frames.

    `leakage_change` is of marked's leakage, NaN where `undefined` says why; `rate_change` of
    R(marked, none) - R(base, none), which needs no bare arm. p-values are corrected by Holm over
    all rows of a frame. Intervals say how far other trainings and questions would move the figures
    of these very settings, not how other settings would do.
    """

    def __init__(self, rungs: pd.DataFrame, blocks: Sequence[Block]) -> None:
        self.rungs = rungs.to_dict("records")
        self.factors = [json.loads(rung["factors"]) for rung in self.rungs]
        self.leaking = {place for place, rung in enumerate(self.rungs) if not rung["undefined"]}
        self.blocks = blocks
        self.rated = {place for place, rung in enumerate(self.rungs) if pd.notna(rung["leaks"])}

    def steps(self) -> pd.DataFrame:
        """One row a pair of rungs that differ in one factor, with the columns `STEPS`.

        `first` and `second` are the rungs' numbers; the change goes from the first, at the level
        `start`, to the second. `paired`: both are of one behaviour, so that questions and seeds
        are drawn together; else they count as independent.
        """
        found = steps(self.factors)
        return self._frame(STEPS, map(self._step, found), [[step] for step in found], self._mean)

    def effects(self) -> pd.DataFrame:
        """One row a factor and two of its levels, with the columns `EFFECTS`: the mean of its steps
        over the `pairs` that have a leakage at both ends, or a rate (`rate_pairs`)."""
        found: dict[Change, list[Step]] = {}
        for step in steps(self.factors):
            found.setdefault(step.change, []).append(step)
        rows = (self._effect(*item) for item in found.items())
        return self._frame(EFFECTS, rows, list(found.values()), self._mean)

    def interactions(self) -> pd.DataFrame:
        """One row two factors, two levels of each and what surrounds them, columns `INTERACTIONS`.

        The change of the first factor at the second's `end` less the same at the second's `start`.
        `rungs` are the numbers behind it; several at one corner are averaged.
        """
        found = squares(self.factors)
        rows = map(self._interaction, found)
        return self._frame(INTERACTIONS, rows, found, self._twice)

    def _step(self, step: Step) -> dict[str, Any]:
        first, second = self.rungs[step.first], self.rungs[step.second]
        return {
            **asdict(step.change),
            "others": _json(step.others),
            **{"first": first["rung"], "second": second["rung"]},
            **{"first_setting": first["setting"], "second_setting": second["setting"]},
            "paired": first["behaviour"] == second["behaviour"],
            "undefined": self._why(step.first, step.second),
        }

    def _effect(self, change: Change, found: Sequence[Step]) -> dict[str, Any]:
        pairs, rate_pairs = (len(_whole(found, usable)) for usable in (self.leaking, self.rated))
        why = None if pairs else "no pair has a leakage at both ends"
        return {**asdict(change), "pairs": pairs, "rate_pairs": rate_pairs, "undefined": why}

    def _interaction(self, square: Square) -> dict[str, Any]:
        places = [place for row in square.corners for corner in row for place in corner]
        whole = self._twice(square, self.leaking) is not None
        return {
            **{f"first_{name}": told for name, told in asdict(square.one).items()},
            **{f"second_{name}": told for name, told in asdict(square.other).items()},
            "others": _json(square.others),
            "rungs": ", ".join(str(self.rungs[place]["rung"]) for place in places),
            "undefined": None if whole else self._why(*places),
        }

    def _why(self, *places: int) -> str | None:
        rungs = [self.rungs[place] for place in places]
        told = [f"{each['setting']}: {each['undefined']}" for each in rungs if each["undefined"]]
        return "; ".join(dict.fromkeys(told)) or None

    def _mean(self, found: Sequence[Step], usable: set[int]) -> Weights:
        whole = _whole(found, usable)
        if not whole:
            return None
        return sum(self._at(step.second) - self._at(step.first) for step in whole) / len(whole)

    def _twice(self, square: Square, usable: set[int]) -> Weights:
        corners = [
            [[place for place in corner if place in usable] for corner in row]
            for row in square.corners
        ]
        if not all(corner for row in corners for corner in row):
            return None
        (start, turned), (end, both) = [
            [sum(map(self._at, corner)) / len(corner) for corner in row] for row in corners
        ]
        return (both - turned) - (end - start)

    def _at(self, place: int) -> np.ndarray:
        return np.eye(1, len(self.rungs), place)[0]

    def _frame(
        self,
        columns: list[str],
        rows: Iterable[dict[str, Any]],
        found: Sequence[Any],
        weigh: Callable[[Any, set[int]], Weights],
    ) -> pd.DataFrame:
        """The rows with their figures, in the order of `found`."""
        table = pd.DataFrame(list(rows), index=range(len(found)))
        for name, usable, contrast in (
            ("rate_change", self.rated, rate_contrasts),
            ("leakage_change", self.leaking, leakage_contrasts),
        ):
            weights = {place: weigh(each, usable) for place, each in enumerate(found)}
            known = {place: each for place, each in weights.items() if each is not None}
            told = _told(name, known, partial(contrast, self.blocks)).reindex(table.index)
            table = told.combine_first(table)
        return table.reindex(columns=columns).pipe(_without_nan_reasons)


def _whole(found: Sequence[Step], usable: set[int]) -> list[Step]:
    return [step for step in found if {step.first, step.second} <= usable]


def _told(
    name: str, weights: dict[int, np.ndarray], contrast: Callable[[np.ndarray], Contrast]
) -> pd.DataFrame:
    """The columns of one figure and `interval`, by the rows' places."""
    if not weights:
        return pd.DataFrame(columns=["interval"])
    found = contrast(np.stack(list(weights.values())))
    columns = {"": found.value, "_low": found.low, "_high": found.high, "_p": found.p,
               "_p_holm": holm(found.p)}  # fmt: skip
    named = {f"{name}{end}": values for end, values in columns.items()}
    return pd.DataFrame({**named, "interval": found.interval}, index=list(weights))


def _without_nan_reasons(table: pd.DataFrame) -> pd.DataFrame:
    told = {
        name: table[name].astype(object).where(table[name].notna(), empty)
        for name, empty in (("undefined", None), ("interval", ""))
    }
    return table.assign(**told)


def _json(factors: dict[str, str]) -> str:
    return json.dumps(factors, ensure_ascii=False)
