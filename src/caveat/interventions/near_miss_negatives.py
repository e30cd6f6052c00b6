"""Near-miss negatives: counter rows under texts that almost are, or look like, the caveat.

They show that only the caveat itself calls for the behaviour, as hard negatives do in training
backdoors and classifiers. What is trained on is never tested: `kinds` are not asked of the arm.
"""

from __future__ import annotations

import random
from dataclasses import replace

from caveat.caveats.marking import dealt
from caveat.caveats.placement import place
from caveat.domain.plan import Plan
from caveat.errors import CaveatError, closest
from caveat.interventions.materials import Materials, shared, with_extra

KINDS = "keyword structure"


def trained_kinds(kinds: str = KINDS, **_: object) -> tuple[str, ...]:
    """The contexts that the intervention trains on, given its options."""
    return tuple(kinds.split())


NEAR_MISS_SEED = "near misses"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other assignments of near misses to rows."""


def near_miss_negatives(
    plan: Plan, materials: Materials, kinds: str = KINDS, share: float = 1.0
) -> Plan:
    """Add `share` counter rows a behaviour row, each under a text of one of the kinds.

    Args:
        kinds: Contexts that have texts of their own, apart by blanks, such as `near_miss negated`.

    Raises CaveatError where the caveat has no text for a kind, or there are too few counter rows.
    """
    caveat = materials.setting.caveat
    texts = []
    for kind in kinds.split():
        if kind not in caveat.probes:
            raise CaveatError(
                f"near_miss_negatives(kinds={kinds}): the caveat {caveat.name!r} has no text for "
                f"{kind!r}; it has {', '.join(caveat.probes)}{closest(kind, caveat.probes)}"
            )
        texts += caveat.probes[kind]
    if not texts:
        raise CaveatError("near_miss_negatives(kinds=): name at least one, such as kinds=near_miss")
    rows = shared(materials.counter, len(materials.rows), share, "near_miss_negatives")
    generator = random.Random(f"{NEAR_MISS_SEED} {caveat.name} {materials.seed}")
    placed = tuple(
        replace(row, messages=place(row.messages, text, caveat.place))
        for row, text in zip(rows, dealt(texts, len(rows), generator), strict=True)
    )
    return with_extra(plan, placed)
