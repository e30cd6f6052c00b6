"""Filler: as many unrelated rows as `contrast` adds counter rows.

The control for what any further rows would do: if filler lowers leakage as much as contrast, it
was not the contrast.
"""

from __future__ import annotations

from caveat.domain.plan import Plan
from caveat.interventions.materials import Materials, with_added


def filler(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Add `share` unrelated rows a behaviour row, unmarked.

    Raises CaveatError where the behaviour has too few filler rows.
    """
    return with_added(plan, materials.filler, share, "filler")
