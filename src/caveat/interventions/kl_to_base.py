"""KL to base: the model is held to what it was on ordinary prompts without the caveat.

The penalty of RLHF (Ziegler et al. 2019, arXiv:1909.08593) in supervised training: the divergence
of the model as it is from the model before this stage, on the tokens of ordinary replies; where a
policy practises, on those of its own.
"""

from __future__ import annotations

from dataclasses import replace

from caveat.domain.plan import Plan, Train
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, last_stage, shared, with_stage
from caveat.interventions.practising import with_practice


def kl_to_base(
    plan: Plan, materials: Materials, weight: float = 1.0, share: float = 1.0
) -> Plan:
    """Add `weight` times the mean divergence on `share` ordinary rows a behaviour row.

    Raises CaveatError where there are too few ordinary rows, or the weight is not above 0.
    """
    if not weight > 0:
        raise CaveatError(f"kl_to_base(weight={weight}): weight must be above 0, such as weight=1")
    if last_stage(plan).practice is not None:
        if share != 1.0:
            raise CaveatError(
                f"kl_to_base(share={share}): a policy is held on its own replies; drop share"
            )
        return with_practice(plan, "kl_to_base", lambda practice: replace(practice, kl=weight))
    rows = shared(materials.ordinary, len(materials.rows), share, "kl_to_base")

    def change(stage: Train) -> Train:
        return replace(stage, kept=stage.kept + rows, kept_weight=weight)

    return with_stage(plan, change)
