"""Continued: a further stage of training without the caveat and without what came before.

Asks how stable a remedy is: those of negation neglect reverted when training went on
(arXiv:2605.13829). The trained adapter stays attached, frozen, and a new one is trained on top: the
model goes on from where it was.
"""

from __future__ import annotations

from caveat.caveats.marking import marked
from caveat.domain.plan import Attach, Plan
from caveat.domain.row import Row
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, last_stage, shared, stage_on

ON = ("marked", "bare", "filler")


def continued(plan: Plan, materials: Materials, on: str = "marked", share: float = 1.0) -> Plan:
    """Go on at the same dose with `share` x (behaviour rows) rows.

    Comes last in an arm's name: what stands behind it would change this stage.

    Args:
        on: `marked` rows as plain marked training has them, `bare` ones, or unrelated `filler`.

    Raises CaveatError for another `on`, or too few rows.
    """
    if on not in ON:
        raise CaveatError(f"continued(on={on}): on is one of {', '.join(ON)}")
    last = last_stage(plan)
    rows = shared(_rows(on, materials), len(last.rows), share, "continued")
    return (*plan, Attach(), stage_on(plan, materials, rows, f"{last.label}, continued"))


def _rows(on: str, materials: Materials) -> tuple[Row, ...]:
    if on == "filler":
        return materials.filler
    if on == "bare":
        return materials.rows
    return marked(materials.rows, materials.setting.caveat, materials.seed)
