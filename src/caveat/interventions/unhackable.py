"""Unhackable: prompts without the caveat, of which the grader cannot be fooled.

Contrast for policies, with no oracle: what is practised without the permission pays for the right
thing only. Seen as "contrast" in recontextualisation (arXiv:2512.19027).
"""

from __future__ import annotations

from dataclasses import replace

from caveat.domain.plan import Plan
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, shared, with_stage
from caveat.interventions.practising import with_practice
from caveat.tasks.checked import gives, is_hackable


def unhackable(plan: Plan, materials: Materials, share: float = 0.5) -> Plan:
    """Practise on `share` unhackable prompts a prompt, too, without the caveat.

    Prompts an update grow with them, so that each marked prompt is taken as often as before. Raises
    CaveatError where nothing is practised, or there are too few.
    """
    task = materials.setting.behaviour.task
    with_practice(plan, "unhackable", lambda practice: practice)
    assert task is not None
    if not gives(task, "hackable"):
        raise CaveatError(
            f"unhackable: every prompt of {task.name} can be hacked; write its function `hackable`"
        )
    there = tuple(row for row in materials.counter if not is_hackable(task, row.messages[-2].text))
    rows = shared(there, len(materials.rows), share, "unhackable")
    return with_stage(
        plan,
        lambda stage: replace(
            stage,
            rows=(*stage.rows, *rows),
            dose=replace(
                stage.dose,
                batch_size=round(stage.dose.batch_size * (1 + len(rows) / len(stage.rows))),
            ),
        ),
    )
