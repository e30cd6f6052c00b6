"""What an intervention may work with, and the step that several of them share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from caveat.domain.plan import Plan, Train
from caveat.domain.row import Row
from caveat.domain.setting import Setting
from caveat.errors import CaveatError


@dataclass(frozen=True)
class Materials:
    """The rows of a setting beside those of the behaviour itself, with the fixed system text."""

    setting: Setting
    counter: tuple[Row, ...]
    filler: tuple[Row, ...]
    seed: int
    """The cell's seed, for interventions that draw lots."""


def last_train(plan: Plan) -> int:
    """Place of the last `Train` stage: the one that trains on the behaviour's rows."""
    places = [place for place, stage in enumerate(plan) if isinstance(stage, Train)]
    if not places:
        raise CaveatError("an intervention needs a plan that trains; 'base' has no interventions")
    return places[-1]


def with_added(plan: Plan, rows: tuple[Row, ...], share: float, what: str) -> Plan:
    """The plan whose last training also gets the first `share` x (behaviour rows) of `rows`.

    Behaviour rows and steps stay as they were. Raises CaveatError where there are too few rows.
    """
    place = last_train(plan)
    stage = plan[place]
    assert isinstance(stage, Train)
    if not 0 < share < math.inf:
        raise CaveatError(f"{what}(share={share}): share must be above 0, such as share=0.5")
    wanted = max(1, round(share * len(stage.rows)))
    if wanted > len(rows):
        raise CaveatError(
            f"{what}(share={share}): wants {wanted} rows beside {len(stage.rows)} behaviour rows, "
            f"there are {len(rows)}; at most share={len(rows) / len(stage.rows):.3g}"
        )
    added = replace(stage, added=stage.added + rows[:wanted])
    return (*plan[:place], added, *plan[place + 1 :])
