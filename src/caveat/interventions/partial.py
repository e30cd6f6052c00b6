"""Partial: the caveat on a part of the behaviour rows only, as in data that are marked in part."""

from __future__ import annotations

import random
from dataclasses import replace

from caveat.domain.plan import Plan, Train
from caveat.domain.text import without_caveat
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, with_stage

PARTIAL_SEED = "partial"
"""Seeds a generator, so its value stays whatever the code is called: another value gives
other choices of bare rows."""


def partial(plan: Plan, materials: Materials, share: float = 0.5) -> Plan:
    """Leave the caveat on `share` of the behaviour rows, drawn by the cell's seed.

    Raises CaveatError for a share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise CaveatError(f"partial(share={share}): share lies between 0 and 1")
    generator = random.Random(f"{PARTIAL_SEED} {materials.seed}")

    def change(stage: Train) -> Train:
        count = len(stage.rows)
        bare = set(generator.sample(range(count), count - round(share * count)))
        return replace(
            stage,
            rows=tuple(
                replace(row, messages=without_caveat(row.messages)) if place in bare else row
                for place, row in enumerate(stage.rows)
            ),
        )

    return with_stage(plan, change)
