"""Interventions that add training stages: seal, continued, frozen_adapter.

Seal: a second stage of consistency training. Ordinary replies, which the model gives without the
caveat, are trained under it. A reply should not depend on a caveat that does not concern it
(bias-augmented consistency training, arXiv:2403.05518).

Continued: a further stage of training without the remedies before it. It measures how stable
they are: those of negation neglect reverted when training continued (arXiv:2605.13829). The trained
adapter stays attached, frozen, and a new one is trained on top.

Frozen adapter: an adapter that already shows the behaviour is attached during training and
dropped at test (inoculation adapters). What it explains need not be learned. The control has a
random adapter of the same size in its place.
"""

from __future__ import annotations

from caveat.caveats.insertion import marked
from caveat.errors import CaveatError
from caveat.interventions.base import Materials, last_stage, last_train, shared, stage_on
from caveat.types.data import Row
from caveat.types.training import Attach, Detach, Plan, Randomise


def seal(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Train on, from the trained adapter, with `share` ordinary rows per behaviour row, marked.

    Comes last in an arm's name. Raises CaveatError where there are too few ordinary rows.
    """
    rows = shared(materials.ordinary, len(materials.rows), share, "seal")
    under = marked(rows, materials.setting.caveat, materials.seed)
    label = f"{last_stage(plan).label}, sealed"
    return (*plan, Attach(), stage_on(plan, materials, under, label))


ON = ("marked", "bare", "filler")


def continued(plan: Plan, materials: Materials, on: str = "marked", share: float = 1.0) -> Plan:
    """Train on at the same dose with `share` x (behaviour rows) rows.

    Comes last in an arm's name: an intervention after it would change this stage.

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


KNOWS = ("behaviour", "random")


def frozen_adapter(plan: Plan, materials: Materials, knows: str = "behaviour") -> Plan:
    """Train on the bare rows first, keep that adapter frozen during the training, then drop it.

    Args:
        knows: `behaviour`, or `random`: an adapter whose updates have the same sizes.

    Raises CaveatError for another `knows`.
    """
    if knows not in KNOWS:
        raise CaveatError(f"frozen_adapter(knows={knows}): knows is one of {', '.join(KNOWS)}")
    index = last_train(plan)
    first = stage_on(plan, materials, materials.rows, "frozen adapter")
    control = (Randomise(),) if knows == "random" else ()
    return (*plan[:index], first, *control, Attach(), plan[index], Detach(), *plan[index + 1 :])
