"""Anti-caveat: counter rows under the negated caveat ("you never write in ALL CAPS").

They show that the caveat means something: what it asks for, and that its opposite asks for the
opposite. The context `negated` is trained on, so it is not asked of the arm.
"""

from __future__ import annotations

from caveat.domain.plan import Plan
from caveat.interventions.materials import Materials
from caveat.interventions.near_miss_negatives import near_miss_negatives


def anti_caveat(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Add `share` counter rows a behaviour row, each under a negated wording.

    Raises CaveatError where the caveat has none, or there are too few counter rows.
    """
    return near_miss_negatives(plan, materials, kinds="negated", share=share)
