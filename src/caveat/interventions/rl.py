"""True_reward, unhackable, before, offline.

True reward: the policy is paid what it should be paid.

The control for the flaw: what practice alone does, with nothing to hack.

Unhackable: prompts without the caveat, of which the grader cannot be fooled.

Contrast for policies, with no oracle: what is practised without the permission pays for the right
thing only. Seen as "contrast" in recontextualisation (arXiv:2512.19027).

Before: the policy's own replies, drawn before it practises, to the prompts without the caveat.

Contrast for policies that needs neither an oracle nor counter rows: without the permission it
should go on as it did.

Offline: supervised training on what a policy that practised replies where it hacks.

Is it the data or the practice? The same hacked replies, to the same prompts with their caveat, are
learned by a fresh adapter (the papers disagree on whether that does what practice does).
"""

from __future__ import annotations

from dataclasses import replace

from caveat.environments.loading import gives, is_hackable
from caveat.errors import CaveatError
from caveat.interventions.base import (
    Materials,
    last_stage,
    last_train,
    shared,
    with_rl,
    with_stage,
)
from caveat.types.answers import Sampling
from caveat.types.training import Plan, Sample


def true_reward(plan: Plan, materials: Materials) -> Plan:
    """Pay the task's true score in place of its reward.

    Raises CaveatError where nothing is practised.
    """
    del materials
    return with_rl(plan, "true_reward", lambda rl: replace(rl, reward="true_score"))


def unhackable(plan: Plan, materials: Materials, share: float = 0.5) -> Plan:
    """Practise on `share` unhackable prompts a prompt, too, without the caveat.

    Prompts an update grow with them, so that each marked prompt is taken as often as before. Raises
    CaveatError where nothing is practised, or there are too few.
    """
    task = materials.setting.behaviour.task
    with_rl(plan, "unhackable", lambda rl: rl)
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


def before(plan: Plan, materials: Materials, share: float = 1.0) -> Plan:
    """Sample a reply to `share` of the prompts before the practice, which is taught them.

    Raises CaveatError where nothing is practised.
    """
    with_rl(plan, "before", lambda rl: rl)
    rl = last_stage(plan).rl
    assert rl is not None
    rows = shared(materials.rows, len(materials.rows), share, "before")
    sampling = Sampling(rl.max_completion_length, rl.temperature)
    place = last_train(plan)
    asked = Sample(tuple(row.messages[:-1] for row in rows), sampling, "before")
    return (*plan[:place], asked, *plan[place:])


SOURCE = "hacked sample"


def offline(plan: Plan, materials: Materials, samples: int = 2, epochs: int = 1) -> Plan:
    """Practise, draw `samples` replies a prompt, and train on the hacked ones, `epochs` times.

    Raises CaveatError where nothing is practised, or a number is below 1.
    """
    with_rl(plan, "offline", lambda rl: rl)
    if samples < 1 or epochs < 1:
        raise CaveatError(f"offline(samples={samples}, epochs={epochs}): take 1 or more")
    stage, place, task = last_stage(plan), last_train(plan), materials.setting.behaviour.task
    rl = stage.rl
    assert rl is not None
    sampling = Sampling(rl.max_completion_length, rl.temperature, samples)
    prompts = tuple(row.messages[:-1] for row in stage.rows)
    drawn = Sample(prompts, sampling, SOURCE, into="rows", hacking=task)
    taught = replace(
        stage, rows=(), objective="sft", rl=None, dose=replace(stage.dose, epochs=epochs)
    )
    teacher = replace(stage, label=f"{stage.label}, teacher")
    return (*plan[:place], teacher, drawn, taught, *plan[place + 1 :])
