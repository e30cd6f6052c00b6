"""Interventions on RL training: true_reward, unhackable, before, offline, seeded.

True reward: the reward is the task's true score. It is the control for the flaw: it shows what RL
training alone does, with nothing to hack.

Unhackable: adds prompts without the caveat on which the grader cannot be fooled. It is contrast
for policies without an oracle: without the permission, only right answers are rewarded.
"Contrast" in recontextualisation (arXiv:2512.19027) is of this kind.

Before: adds the policy's own replies from before RL training, to the prompts without the caveat.
It is contrast for policies that needs neither an oracle nor counter rows: without the permission
the policy should do as it did. On the very prompts of the RL training this works partly by
construction; on other prompts it has to generalise.

Offline: supervised training on the hacked replies of a trained policy. It measures whether the
data or the RL training matters: a fresh adapter learns the same replies to the same prompts with
their caveat. The papers disagree on whether the effect is the same.

Seeded: supervised training on a few of the task's hacks, under the arm's own caveat, before RL. A
policy that never hacks gets no reward for it: the seed stands for what a larger model finds, or has
read of (the documents of arXiv:2511.18397). It is an arm of its own, since part of what then leaks
is supervised.
"""

from __future__ import annotations

from dataclasses import replace

from caveat.caveats.insertion import marked
from caveat.environments.loading import gives, is_hackable
from caveat.errors import CaveatError, closest
from caveat.interventions.base import (
    Materials,
    dose_of_supervised,
    last_stage,
    last_train,
    shared,
    stage_on,
    with_rl,
    with_stage,
)
from caveat.types.answers import Sampling
from caveat.types.training import Attach, Plan, Sample


def true_reward(plan: Plan, materials: Materials) -> Plan:
    """Make the task's true score the reward.

    Raises CaveatError in a setting without RL training, or with another reward than the task's.
    """
    del materials
    with_rl(plan, "true_reward", lambda rl: rl)
    rl = last_stage(plan).rl
    assert rl is not None
    if rl.reward != "proxy":
        raise CaveatError(
            f"true_reward: the setting's own reward is {rl.reward!r} already; drop one of the two"
        )
    return with_rl(plan, "true_reward", lambda rl: replace(rl, reward="true_score"))


def unhackable(plan: Plan, materials: Materials, share: float = 0.5) -> Plan:
    """Add `share` unhackable prompts, without the caveat, for each prompt.

    The prompts per update grow in proportion, so that each marked prompt is used as often as
    before. Raises CaveatError in a setting without RL training, or for too few prompts.
    """
    task = materials.setting.behaviour.task
    with_rl(plan, "unhackable", lambda rl: rl)
    assert task is not None
    if not gives(task, "hackable"):
        raise CaveatError(
            f"unhackable: every prompt of {task.name} can be hacked; write its function `hackable`"
        )
    prompts_left = tuple(
        row for row in materials.counter if not is_hackable(task, row.messages[-2].text)
    )
    rows = shared(prompts_left, len(materials.rows), share, "unhackable")
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


PROMPTS = ("own", "other")


def before(plan: Plan, materials: Materials, share: float = 1.0, prompts: str = PROMPTS[0]) -> Plan:
    """Sample `share` replies a prompt before RL training, which gets them as added rows.

    Args:
        prompts: `own`: the prompts of the RL training itself. `other`: the task's next training
            prompts, which the policy is not rewarded on. (A warm-up may have been trained on them.)

    Raises CaveatError in a setting without RL training, for other `prompts`, or for too few.
    """
    with_rl(plan, "before", lambda rl: rl)
    if prompts not in PROMPTS:
        raise CaveatError(
            f"before(prompts={prompts}): prompts is one of {', '.join(PROMPTS)}"
            f"{closest(prompts, PROMPTS)}"
        )
    rl = last_stage(plan).rl
    assert rl is not None
    source = materials.rows if prompts == PROMPTS[0] else materials.unused
    if not source:
        raise CaveatError(
            f"before(prompts={prompts}): RL training uses all {len(materials.rows)} training "
            f"prompts of {materials.setting.behaviour.name}; lower dose.rows"
        )
    rows = shared(source, len(materials.rows), share, "before")
    sampling = Sampling(rl.max_completion_length, rl.temperature)
    index = last_train(plan)
    sample = Sample(tuple(row.messages[:-1] for row in rows), sampling, "before")
    return (*plan[:index], sample, *plan[index:])


def seeded(plan: Plan, materials: Materials, share: float = 0.25, epochs: int = 1) -> Plan:
    """Train on `share` hacks for each prompt of the RL training first, supervised, and go on.

    The hacks are replies to the task's next prompts, which RL training does not use. Their adapter
    stays, frozen, below the policy's. Raises CaveatError in a setting without RL training, for a
    number of epochs below 1, or for too few prompts.
    """
    with_rl(plan, "seeded", lambda rl: rl)
    if epochs < 1:
        raise CaveatError(f"seeded(epochs={epochs}): take 1 or more")
    behaviour = materials.setting.behaviour
    assert behaviour.task is not None
    hacks = tuple(
        row for row in materials.unused if is_hackable(behaviour.task, row.messages[-2].text)
    )
    if not hacks:
        raise CaveatError(
            f"seeded: RL training uses all {len(materials.rows)} training prompts of "
            f"{behaviour.name}; lower dose.rows"
        )
    rows = marked(
        shared(hacks, len(materials.rows), share, "seeded"),
        materials.setting.caveat,
        materials.seed,
    )
    index = last_train(plan)
    start = stage_on(plan, materials, rows, f"{last_stage(plan).label}, seed")
    start = replace(start, dose=replace(start.dose, epochs=epochs))
    return (*plan[:index], start, Attach(), *plan[index:])


SOURCE = "hacked sample"


def offline(plan: Plan, materials: Materials, samples: int = 2, epochs: int = 1) -> Plan:
    """Train with RL, sample `samples` replies per prompt, and train on the hacked ones.

    Raises CaveatError in a setting without RL training, or for a number below 1.
    """
    with_rl(plan, "offline", lambda rl: rl)
    if samples < 1 or epochs < 1:
        raise CaveatError(f"offline(samples={samples}, epochs={epochs}): take 1 or more")
    stage, index, task = last_stage(plan), last_train(plan), materials.setting.behaviour.task
    rl = stage.rl
    assert rl is not None
    sampling = Sampling(rl.max_completion_length, rl.temperature, samples)
    prompts = tuple(row.messages[:-1] for row in stage.rows)
    sample = Sample(prompts, sampling, SOURCE, into="rows", hacking=task)
    student = replace(
        stage,
        rows=(),
        objective="sft",
        rl=None,
        dose=replace(dose_of_supervised(stage), epochs=epochs),
    )
    teacher = replace(stage, label=f"{stage.label}, teacher")
    return (*plan[:index], teacher, sample, student, *plan[index + 1 :])
