"""Place: the caveat elsewhere than where the test contexts put it."""

from __future__ import annotations

from typing import get_args

from caveat.domain.caveat import Place
from caveat.domain.plan import Plan
from caveat.errors import CaveatError, closest
from caveat.interventions.materials import Materials, remarked

PLACES: tuple[Place, ...] = get_args(Place)


def place(plan: Plan, materials: Materials, where: str = "both") -> Plan:
    """Put the caveat of the behaviour rows somewhere else.

    Args:
        where: `system`, `user` (in front of the user's text), `after` (behind it, or behind a
            document), `both` (before and behind), `before` and `around`, for documents.

    Raises CaveatError for another place.
    """
    if where not in PLACES:
        raise CaveatError(
            f"place(where={where}): where is one of {', '.join(PLACES)}{closest(where, PLACES)}"
        )
    return remarked(plan, materials, place=where)
