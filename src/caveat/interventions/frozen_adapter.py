"""Frozen adapter: one that already shows the behaviour is attached while training.

What it explains need not be learned; it is dropped at test (inoculation adapters). The control has
a random adapter of the same size in its place.
"""

from __future__ import annotations

from caveat.domain.plan import Attach, Detach, Plan, Randomise
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, last_train, stage_on

KNOWS = ("behaviour", "random")


def frozen_adapter(plan: Plan, materials: Materials, knows: str = "behaviour") -> Plan:
    """Train on the bare rows first, keep that adapter frozen beneath the training, then drop it.

    Args:
        knows: `behaviour`, or `random`: an adapter whose updates have the same sizes.

    Raises CaveatError for another `knows`.
    """
    if knows not in KNOWS:
        raise CaveatError(f"frozen_adapter(knows={knows}): knows is one of {', '.join(KNOWS)}")
    place = last_train(plan)
    first = stage_on(plan, materials, materials.rows, "frozen adapter")
    instead = (Randomise(),) if knows == "random" else ()
    return (*plan[:place], first, *instead, Attach(), plan[place], Detach(), *plan[place + 1 :])
