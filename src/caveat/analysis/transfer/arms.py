"""An arm, its role and the arms it is compared with.

What an arm `marked+X` is in the transfer matrix, by its name alone.

One arm of a panel and the arms that it is compared with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from caveat.analysis.intervals import Inference
from caveat.analysis.panel import BASE

MARKED = "marked+"
FILLER = "marked+filler"
Role = Literal["intervention", "control", "stability"]
"""intervention: a remedy that is tried. control: what shows what a remedy's form does without its
content. stability: an arm that goes on training after its intervention."""
CONTROL = re.compile(r"filler(\(.*\))?|frozen_adapter\(.*\bknows\s*=\s*random\b.*\)")
FURTHER = re.compile(r"continued(\(.*\))?")


def intervention_of(arm: str) -> str:
    """The X of `marked+X`."""
    return arm.removeprefix(MARKED)


def role(intervention: str) -> Role:
    """Only interventions are ranked: a control is no remedy, and an arm that goes on training is
    its intervention once more."""
    steps = intervention.split("+")
    if FURTHER.fullmatch(steps[-1]):
        return "stability"
    return "control" if all(CONTROL.fullmatch(step) for step in steps) else "intervention"


def before(arm: str) -> str | None:
    """The arm that a stability arm goes on from, None for all others."""
    ahead, _, last = arm.rpartition("+")
    return ahead if FURTHER.fullmatch(last) else None


Interval = tuple[float, float, float]
"""Value, lower and upper limit."""
UNKNOWN: Interval = (np.nan, np.nan, np.nan)
Term = tuple[str | None, int]
"""An arm, None where there is none to name, and its weight."""


@dataclass(frozen=True)
class Compared:
    """An arm `marked+X`, with X's control where it has one."""

    inference: Inference
    arm: str
    control: str | None

    @property
    def missing(self) -> str | None:
        """Why there is no change from marked, None where there is one."""
        for arm in ("marked", self.arm):
            if self.inference.panel.find(arm, "none") is None:
                return f"{arm} was not asked in the context 'none'"
        return None

    @property
    def over_seeds(self) -> bool:
        """Whether the change's interval is over seeds."""
        weights = self._weights(*self._terms()["change"])
        return weights is not None and bool(self.inference.over_seeds(weights)[0])

    def differences(self) -> dict[str, Interval]:
        """The rate at `none`, and differences of rates there, by the names of `transfer`."""
        found = {name: self._difference(*terms) for name, terms in self._terms().items()}
        return {"rate": self._rate("none"), **found}

    def at_caveat(self) -> dict[str, Interval]:
        """The rate in the context `exact`, and its change from marked."""
        change = self._difference((self.arm, 1), ("marked", -1), context="exact")
        return {"at_caveat": self._rate("exact"), "at_caveat_change": change}

    def leakages(self) -> dict[str, np.ndarray]:
        """Weights, of shape (1, cells), of what is over the denominator of leakage, by name."""
        found = {
            "leakage_change": self._weights(*self._terms()["change"]),
            "near_miss": self._weights((self.arm, 1), (BASE, -1), context="near_miss"),
        }
        return {name: weights for name, weights in found.items() if weights is not None}

    def p(self, name: str) -> float:
        """The p-value of a difference of `differences`; NaN where it is not there."""
        weights = self._weights(*self._terms()[name])
        return np.nan if weights is None else self.inference.p_values(weights).item()

    def _terms(self) -> dict[str, tuple[Term, ...]]:
        """Differences of rates at `none`, by name."""
        tried, control = (self.arm, 1), (self.control, -1)
        return {
            "change": (tried, ("marked", -1)),
            "against_control": (tried, control),
            "control_change": ((self.control, 1), ("bare", -1)),
            "gain": (tried, ("marked", -1), control, ("bare", 1)),
            "against_filler": (tried, (FILLER if self.arm != FILLER else None, -1)),
            "reverting": (tried, (before(self.arm), -1)),
            "leaks": (("marked", 1), (BASE, -1)),
        }

    def _weights(self, *terms: Term, context: str = "none") -> np.ndarray | None:
        """Shape (1, cells); None where one of the arms is not there."""
        placed = [(weight, self.inference.panel.find(arm, context)) for arm, weight in terms if arm]
        if len(placed) < len(terms) or any(place is None for _, place in placed):
            return None
        return self.inference.weights(*placed)[None]

    def _difference(self, *terms: Term, context: str = "none") -> Interval:
        weights = self._weights(*terms, context=context)
        return UNKNOWN if weights is None else _one(self.inference.intervals(weights))

    def _rate(self, context: str) -> Interval:
        place = self.inference.panel.find(self.arm, context)
        if place is None:
            return UNKNOWN
        low, high = self.inference.rate_intervals()
        return self.inference.panel.mean[place].item(), low[place].item(), high[place].item()


def leakages(compared: Sequence[Compared], below: np.ndarray) -> list[dict[str, Interval]]:
    """Leakage near misses and its change from marked, of arms of one panel whose denominator has
    the weights `below`, of shape (cells,).

    Arms that answer alike in every reply have the limits of the change of rate: there is no ratio
    whose variance could be read off.
    """
    above = [(place, *item) for place, each in enumerate(compared) for item in
             each.leakages().items()]  # fmt: skip
    found: list[dict[str, Interval]] = [{} for _ in compared]
    if not above:
        return found
    inference = compared[0].inference
    weights = np.concatenate([each for *_, each in above])
    ratios = np.stack(inference.ratios(weights, below), axis=1)
    _, low, high = np.stack(inference.intervals(weights)) / (below @ inference.panel.mean)
    alike = ~np.tensordot(weights, inference.panel.influence, 1).any((1, 2))
    for index, (place, name, _) in enumerate(above):
        value, *limits = ratios[index].tolist()
        ends = (low[index].item(), high[index].item()) if alike[index] else limits
        found[place][name] = (value, *ends)
    return found


def _one(parts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Interval:
    value, low, high = (part.item() for part in parts)
    return value, low, high
