"""Interventions: functions from plan to plan that are meant to lower leakage.

One is registered by a line in this dictionary. It takes the plan, the materials and its options by
keyword; its name is what stands behind the `+` of an arm.
"""

from __future__ import annotations

from collections.abc import Callable

from caveat.domain.plan import Plan
from caveat.interventions.continued import continued
from caveat.interventions.contrast import contrast
from caveat.interventions.correct import correct
from caveat.interventions.filler import filler
from caveat.interventions.local import local
from caveat.interventions.repeat import repeat

INTERVENTIONS: dict[str, Callable[..., Plan]] = {
    "contrast": contrast,
    "filler": filler,
    "repeat": repeat,
    "correct": correct,
    "local": local,
    "continued": continued,
}

__all__ = ["INTERVENTIONS"]
