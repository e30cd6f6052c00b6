"""Diversify: many wordings of the caveat in place of one or a few.

A caveat that a model has seen in many forms should be taken for what it says rather than for a
string; the context `paraphrase` tests it with wordings that were never trained.
"""

from __future__ import annotations

from caveat.domain.plan import Plan
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, remarked


def diversify(plan: Plan, materials: Materials, n: int = 8) -> Plan:
    """Deal `n` wordings to the behaviour rows: the caveat's own, then its further ones.

    Raises CaveatError where the caveat has fewer.
    """
    caveat = materials.setting.caveat
    wordings = (*caveat.wordings, *caveat.further)
    if not 1 <= n <= len(wordings):
        raise CaveatError(
            f"diversify(n={n}): the caveat {caveat.name!r} has {len(wordings)} wordings to train "
            "with (`wordings` and `further`); take at most so many"
        )
    return remarked(plan, materials, wordings=wordings[:n])
