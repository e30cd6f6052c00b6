"""Offline: supervised training on what a policy that practised replies where it hacks.

Is it the data or the practice? The same hacked replies, to the same prompts with their caveat, are
learned by a fresh adapter (the papers disagree on whether that does what practice does).
"""

from __future__ import annotations

from dataclasses import replace

from caveat.domain.plan import Plan, Sample
from caveat.domain.reply import Sampling
from caveat.errors import CaveatError
from caveat.interventions.materials import Materials, last_stage, last_train
from caveat.interventions.practising import with_practice

SOURCE = "hacked sample"


def offline(plan: Plan, materials: Materials, samples: int = 2, epochs: int = 1) -> Plan:
    """Practise, draw `samples` replies a prompt, and train on the hacked ones, `epochs` times.

    Raises CaveatError where nothing is practised, or a number is below 1.
    """
    with_practice(plan, "offline", lambda practice: practice)
    if samples < 1 or epochs < 1:
        raise CaveatError(f"offline(samples={samples}, epochs={epochs}): take 1 or more")
    stage, place, task = last_stage(plan), last_train(plan), materials.setting.behaviour.task
    practice = stage.practice
    assert practice is not None
    sampling = Sampling(practice.max_tokens, practice.temperature, samples)
    prompts = tuple(row.messages[:-1] for row in stage.rows)
    drawn = Sample(prompts, sampling, SOURCE, into="rows", hacking=task)
    taught = replace(
        stage, rows=(), objective="sft", practice=None, dose=replace(stage.dose, epochs=epochs)
    )
    teacher = replace(stage, label=f"{stage.label}, teacher")
    return (*plan[:place], teacher, drawn, taught, *plan[place + 1 :])
