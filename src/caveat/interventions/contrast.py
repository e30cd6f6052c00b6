"""Contrast: rows without caveat and without the behaviour, beside the marked ones.

They show that the behaviour belongs to the caveat. Seen with triggers (clean data in a backdoor's
training set) and with inoculation; here rows are added, never put in place of behaviour rows, so
that the dose stays what it was.
"""

from __future__ import annotations

from caveat.domain.plan import Plan
from caveat.interventions.materials import Materials, with_added


def contrast(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Add `share` counter rows a behaviour row, unmarked.

    Raises CaveatError where the behaviour has too few counter rows.
    """
    return with_added(plan, materials.counter, share, "contrast")
