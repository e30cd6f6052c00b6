"""Arms `marked+X`: the role of X, and the arms that `marked+X` is compared with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from caveat.analysis.intervals import UNKNOWN, Estimates, Interval
from caveat.analysis.leakage import no_answers
from caveat.analysis.panel import BASE

MARKED = "marked+"
FILLER = "marked+filler"
Role = Literal["intervention", "control", "stability"]
"""intervention: a remedy that is tried. control: shows what a remedy's form does without its
content. stability: an arm that is trained further after its intervention."""
CONTROL = re.compile(r"filler(\(.*\))?|frozen_adapter\(.*\bknows\s*=\s*random\b.*\)")
LEFT = 0.1
"""The share of what bare training installs below which an intervention undoes it."""
CONTINUED = re.compile(r"continued(\(.*\))?")
Term = tuple[str | None, int]
"""An arm, None where there is none to name, and its weight."""


def intervention_of(arm: str) -> str:
    """The X of `marked+X`."""
    return arm.removeprefix(MARKED)


def role(intervention: str) -> Role:
    """The role of an intervention, by its name alone.

    Only interventions are ranked: a control is no remedy, and an arm that is trained further is its
    intervention once more.
    """
    steps = intervention.split("+")
    if CONTINUED.fullmatch(steps[-1]):
        return "stability"
    return "control" if all(CONTROL.fullmatch(step) for step in steps) else "intervention"


def continued_from(arm: str) -> str | None:
    """The arm that a stability arm continues, None for all others."""
    previous, _, last = arm.rpartition("+")
    return previous if CONTINUED.fullmatch(last) else None


@dataclass(frozen=True)
class InterventionArm:
    """An arm `marked+X` of a panel, with X's control where it has one."""

    estimates: Estimates
    arm: str
    control: str | None

    @property
    def missing(self) -> str | None:
        """Why there is no change from marked, None where there is one."""
        for arm in ("marked", self.arm):
            if self.estimates.panel.find(arm, "none") is None:
                return no_answers(arm, "none")
        return None

    @property
    def over_seeds(self) -> bool:
        """Whether the change's interval is over seeds."""
        weights = self._weights(*self._terms()["change"])
        return weights is not None and bool(self.estimates.over_seeds(weights).item())

    def differences(self) -> dict[str, Interval]:
        """The rate at `none`, and differences of rates there, by the names of `matrix.transfer`."""
        differences = {name: self._difference(*terms) for name, terms in self._terms().items()}
        return {"rate": self._rate("none"), **differences}

    def at_caveat(self) -> dict[str, Interval]:
        """The rate in the context `exact`, and its change from marked."""
        change = self._difference((self.arm, 1), ("marked", -1), context="exact")
        return {"at_caveat": self._rate("exact"), "at_caveat_change": change}

    def leakage_numerators(self) -> dict[str, np.ndarray]:
        """Weights, of shape (cells,), of what is divided by the denominator of leakage, by name."""
        numerators = {
            "leakage_change": self._weights(*self._terms()["change"]),
            "near_miss": self._weights((self.arm, 1), (BASE, -1), context="near_miss"),
        }
        return {name: weights for name, weights in numerators.items() if weights is not None}

    def weights(self, name: str) -> np.ndarray | None:
        """Weights, of shape (cells,), of a difference of `differences`; None where a rate is
        missing."""
        return self._weights(*self._terms()[name])

    @property
    def undoes(self) -> bool:
        """Whether the control shows less than `LEFT` of what bare training installed: X takes the
        training away, whatever the caveat."""
        if self.control in (None, "bare"):
            return False
        installed, left = (self._weights((arm, 1), (BASE, -1)) for arm in ("bare", self.control))
        if installed is None or left is None:
            return False
        mean = self.estimates.panel.mean
        return bool(left @ mean < LEFT * (installed @ mean))

    def _terms(self) -> dict[str, tuple[Term, ...]]:
        """Differences of rates at `none`, by name."""
        arm, control = (self.arm, 1), (self.control, -1)
        return {
            "change": (arm, ("marked", -1)),
            "against_control": (arm, control),
            "control_change": ((self.control, 1), ("bare", -1)),
            "gain": (arm, ("marked", -1), control, ("bare", 1)),
            "against_filler": (arm, (FILLER if self.arm != FILLER else None, -1)),
            "reverting": (arm, (continued_from(self.arm), -1)),
            "leaks": (("marked", 1), (BASE, -1)),
        }

    def _weights(self, *terms: Term, context: str = "none") -> np.ndarray | None:
        """Shape (cells,); None where one of the arms has no answers."""
        cells = [(weight, self.estimates.panel.find(arm, context)) for arm, weight in terms if arm]
        if len(cells) < len(terms) or any(index is None for _, index in cells):
            return None
        return self.estimates.weights(*cells)

    def _difference(self, *terms: Term, context: str = "none") -> Interval:
        weights = self._weights(*terms, context=context)
        return UNKNOWN if weights is None else self.estimates.interval(weights)

    def _rate(self, context: str) -> Interval:
        index = self.estimates.panel.find(self.arm, context)
        if index is None:
            return UNKNOWN
        low, high = self.estimates.rate_intervals()
        return self.estimates.panel.mean[index].item(), low[index].item(), high[index].item()


def p_values(arms: Sequence[InterventionArm], names: Sequence[str]) -> list[dict[str, float]]:
    """By arm of one panel, the p-values of differences of `InterventionArm.differences`, all at
    once: `p_NAME`, and `p_seeds_NAME` of the paired t-test over training seeds. NaN where a rate is
    missing, of the t-test below three seeds, too.
    """
    values = [{f"{kind}_{name}": np.nan for kind in ("p", "p_seeds") for name in names}
              for _ in arms]  # fmt: skip
    there = [
        (position, name, weights)
        for position, arm in enumerate(arms)
        for name in names
        if (weights := arm.weights(name)) is not None
    ]
    if not there:
        return values
    estimates, weights = arms[0].estimates, np.stack([row for *_, row in there])
    columns = {"p": estimates.p_values(weights), "p_seeds": estimates.seed_p_values(weights)}
    for kind, column in columns.items():
        for (position, name, _), value in zip(there, column.tolist(), strict=True):
            values[position][f"{kind}_{name}"] = value
    return values


def leakage_metrics(
    arms: Sequence[InterventionArm], denominator: np.ndarray
) -> list[dict[str, Interval]]:
    """By arm, the leakage near misses and the change of leakage from marked.

    Arms that answer alike in every answer have the limits of the change of rate: there is no ratio
    whose variance could be estimated.

    Args:
        arms: Of one panel.
        denominator: Weights of the denominator of leakage, of shape (cells,).
    """
    numerators = [
        (position, name, weights)
        for position, arm in enumerate(arms)
        for name, weights in arm.leakage_numerators().items()
    ]
    metrics: list[dict[str, Interval]] = [{} for _ in arms]
    if not numerators:
        return metrics
    estimates = arms[0].estimates
    weights = np.stack([row for *_, row in numerators])
    ratios = np.stack(estimates.ratios(weights, denominator), axis=1)
    size = denominator @ estimates.panel.mean
    _, low, high = np.stack(estimates.intervals(weights)) / size
    alike = ~np.tensordot(weights, estimates.panel.influence, 1).any((1, 2))
    for index, (position, name, _) in enumerate(numerators):
        value, *limits = ratios[index].tolist()
        ends = (low[index].item(), high[index].item()) if alike[index] else limits
        metrics[position][name] = (value, *ends)
    return metrics
