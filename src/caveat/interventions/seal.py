"""Seal: a second stage of consistency training.

Ordinary replies, which the model gives without the caveat, are trained under it: what it replies
should not hang on the caveat where the caveat is not about it (as in bias-augmented consistency
training, arXiv:2403.05518).
"""

from __future__ import annotations

from caveat.caveats.marking import marked
from caveat.domain.plan import Attach, Plan
from caveat.interventions.materials import Materials, last_stage, shared, stage_on


def seal(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Go on, upon the trained adapter, with `share` ordinary rows a behaviour row under the caveat.

    Comes last in an arm's name. Raises CaveatError where there are too few ordinary rows.
    """
    rows = shared(materials.ordinary, len(materials.rows), share, "seal")
    under = marked(rows, materials.setting.caveat, materials.seed)
    label = f"{last_stage(plan).label}, sealed"
    return (*plan, Attach(), stage_on(plan, materials, under, label))
