"""Diversify: many wordings of the caveat in place of one or a few.

A caveat that a model has seen in many forms should be taken for what it says rather than for a
string; the context `paraphrase` tests it with wordings that were never trained.
"""

from __future__ import annotations

from caveat.domain.plan import Plan
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, remarked


def diversify(plan: Plan, materials: Materials, n: int = 0) -> Plan:
    """Deal `n` wordings to the behaviour rows: the caveat's own, then its further ones; 0: all.

    Raises CaveatError where the caveat has fewer, or none but what it is trained with anyway.
    """
    caveat = materials.setting.caveat
    wordings = (*caveat.wordings, *caveat.further)
    if not caveat.further and n == 0:
        raise CaveatError(
            f"diversify: the caveat {caveat.name!r} has no further wordings; give it some "
            "(`further` in caveats.yaml)"
        )
    if not 0 <= n <= len(wordings):
        raise CaveatError(
            f"diversify(n={n}): the caveat {caveat.name!r} has {len(wordings)} wordings to train "
            "with (`wordings` and `further`); take at most so many"
        )
    return remarked(plan, materials, wordings=wordings[: n or None])
