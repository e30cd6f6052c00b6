"""Seal: a second stage of consistency training.

Ordinary replies, which the model gives without the caveat, are trained under it: what it replies
should not hang on the caveat where the caveat is not about it (as in bias-augmented consistency
training, arXiv:2403.05518).
"""

from __future__ import annotations

from dataclasses import replace

from caveat.caveats.marking import marked
from caveat.domain.plan import Attach, Plan, Train
from caveat.interventions.materials import Materials, last_train, shared


def seal(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Go on, upon the trained adapter, with `share` ordinary rows a behaviour row under the caveat.

    Comes last in an arm's name. Raises CaveatError where there are too few ordinary rows.
    """
    stage = plan[last_train(plan)]
    assert isinstance(stage, Train)
    rows = shared(materials.ordinary, len(materials.rows), share, "seal")
    under = marked(rows, materials.setting.caveat, materials.seed)
    further = replace(
        stage,
        rows=under,
        added=materials.mixed,
        kept=(),
        kept_weight=0.0,
        label=f"{stage.label}, sealed",
    )
    return (*plan, Attach(), further)
