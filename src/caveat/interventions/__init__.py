"""Interventions: functions from plan to plan that are meant to lower leakage.

One is registered by a line in this dictionary. It takes the plan, the materials and its options by
keyword; its name is what stands behind the `+` of an arm.
"""

from __future__ import annotations

from collections.abc import Callable

from caveat.domain.plan import Plan
from caveat.interventions.contrast import contrast
from caveat.interventions.filler import filler

INTERVENTIONS: dict[str, Callable[..., Plan]] = {"contrast": contrast, "filler": filler}

__all__ = ["INTERVENTIONS"]
