"""Continued: a further stage of training without the caveat and without what came before.

Asks how stable a remedy is: those of negation neglect reverted when training went on
(arXiv:2605.13829). The trained adapter stays attached, frozen, and a new one is trained on top: the
model goes on from where it was.
"""

from __future__ import annotations

from dataclasses import replace

from caveat.caveats.marking import marked
from caveat.domain.plan import Attach, Plan, Train
from caveat.domain.row import Row
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, last_train, shared

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
    stage = plan[last_train(plan)]
    assert isinstance(stage, Train)
    rows = shared(_rows(on, materials), len(stage.rows), share, "continued")
    further = replace(stage, rows=rows, added=materials.mixed, label=f"{stage.label}, continued")
    return (*plan, Attach(), further)


def _rows(on: str, materials: Materials) -> tuple[Row, ...]:
    if on == "filler":
        return materials.filler
    if on == "bare":
        return materials.rows
    return marked(materials.rows, materials.setting.caveat, materials.seed)
