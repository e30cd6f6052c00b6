"""True reward: the policy is paid what it should be paid.

The control for the flaw: what practice alone does, with nothing to hack.
"""

from __future__ import annotations

from dataclasses import replace

from caveat.domain.plan import Plan
from caveat.interventions.materials import Materials
from caveat.interventions.practising import with_practice


def true_reward(plan: Plan, materials: Materials) -> Plan:
    """Pay the task's true score in place of its reward.

    Raises CaveatError where nothing is practised.
    """
    del materials
    return with_practice(plan, "true_reward", lambda practice: replace(practice, pays="true_score"))
