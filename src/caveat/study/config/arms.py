"""Arms: from a name such as `marked+contrast(share=0.5)` to a plan."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import yaml

from caveat.behaviours.neutral_chats import shipped
from caveat.caveats.insertion import framed_rows, marked
from caveat.caveats.neutral import NeutralText
from caveat.errors import CaveatError, closest
from caveat.files.reading import load_yaml
from caveat.interventions import (
    INTERVENTIONS,
    REMARKING,
    REWORDING,
    SAMPLING_FIRST,
    STAGES,
    TRAINED_CONTEXTS,
    UNREAD,
)
from caveat.interventions.base import Materials
from caveat.interventions.extra_rows import counter_sample
from caveat.types.caveats import Caveat, Setting
from caveat.types.data import Row
from caveat.types.messages import Messages, without_caveat
from caveat.types.training import Plan, Sample, Stage, Train

BASE_ARMS = ("base", "bare", "marked", "neutral", "clean")
STEP = re.compile(r"\s*([\w-]+)\s*(?:\(([^()]*)\))?\s*")


@dataclass(frozen=True)
class Arm:
    """A parsed arm name: how rows are trained, and the interventions on that plan in order."""

    name: str
    base_arm: str
    interventions: tuple[tuple[str, dict[str, Any]], ...] = ()


@cache
def parsed(name: str) -> Arm:
    """The arm that a name means. Raises CaveatError for an unknown base arm or intervention."""
    steps = [STEP.fullmatch(step) for step in name.split("+")]
    if not all(steps):
        raise CaveatError(
            f"arm {name!r}: write it as marked+contrast or marked+contrast(share=0.5)"
        )
    (base_arm, options), *interventions = [step.groups() for step in steps if step]
    if base_arm not in BASE_ARMS or options is not None:
        raise CaveatError(
            f"arm {name!r}: {base_arm!r} is not one of {', '.join(BASE_ARMS)}"
            f"{closest(base_arm, BASE_ARMS)}"
        )
    if interventions and base_arm in ("base", "clean"):
        raise CaveatError(f"arm {name!r}: {base_arm!r} takes no interventions; use bare or marked")
    if base_arm == "neutral" and "local" in [intervention for intervention, _ in interventions]:
        raise CaveatError(
            f"arm {name!r}: local rewrites the sentences that show the behaviour, so no neutral "
            "text has their place; drop it, or use marked+local"
        )
    _check_order(name, [intervention for intervention, _ in interventions])
    return Arm(
        name,
        base_arm,
        tuple(
            (intervention, _options(name, intervention, given))
            for intervention, given in interventions
        ),
    )


def trained_contexts(arm: Arm) -> tuple[str, ...]:
    """The test contexts whose texts the arm is trained on: it is not prompted in them."""
    if arm.base_arm != "marked":
        return ()
    return tuple(
        context
        for name, options in arm.interventions
        if name in TRAINED_CONTEXTS
        for context in TRAINED_CONTEXTS[name](**options)
    )


def _check_order(arm: str, names: list[str]) -> None:
    """Raise CaveatError where an intervention would undo, or be lost on, one before it."""
    for index, name in enumerate(names):
        for late in names[index + 1 :]:
            if name in STAGES and late not in STAGES:
                raise CaveatError(f"arm {arm!r}: {name} comes last; put {late} before it")
            if late in REMARKING and name in REWORDING:
                raise CaveatError(
                    f"arm {arm!r}: {late} marks the rows anew and would undo {name}; put it first"
                )
            if name == "unhackable" and late not in STAGES:
                raise CaveatError(
                    f"arm {arm!r}: {late} would change the prompts that {name} adds; put it "
                    f"before {name}"
                )
            if late == "seeded" and name in (*SAMPLING_FIRST, "frozen_adapter"):
                raise CaveatError(
                    f"arm {arm!r}: seeded trains the start that {name} is to work on; put "
                    "seeded first"
                )
            if "frozen_adapter" in (name, late) and (samplers := {name, late} & {*SAMPLING_FIRST}):
                raise CaveatError(
                    f"arm {arm!r}: {samplers.pop()} samples replies of the model before any "
                    "training, and frozen_adapter trains an adapter of its own first; drop one"
                )
            if {name, late} == {"local", "offline"}:
                raise CaveatError(
                    f"arm {arm!r}: offline learns replies to the prompts, and local puts the "
                    "caveat into the reply; drop one"
                )
            if {name, late} == {"local", "repeat"}:
                raise CaveatError(
                    f"arm {arm!r}: local and repeat both set the caveat's position; take one"
                )


@dataclass(frozen=True)
class FramedRows:
    """The rows of a setting with the fixed system text: the same for all its arms and seeds."""

    rows: tuple[Row, ...]
    counter: tuple[Row, ...]
    filler: tuple[Row, ...]
    local: tuple[Row, ...]
    ordinary: tuple[Row, ...]
    """Shipped chats that have nothing to do with the behaviour."""

    @classmethod
    def of(cls, setting: Setting, system: str | None) -> FramedRows:
        """Those of a setting."""
        behaviour = setting.behaviour
        return cls(
            framed_rows(behaviour.rows, system),
            framed_rows(behaviour.counter_rows, system),
            framed_rows(behaviour.filler_rows, system),
            framed_rows(behaviour.local_rows, system),
            _ordinary(system),
        )


@cache
def _ordinary(system: str | None) -> tuple[Row, ...]:
    return framed_rows(shipped().chats("filler", "ordinary"), system)


def plan_of(
    arm: Arm,
    setting: Setting,
    shape: Train,
    seed: int,
    system: str | None,
    framed: FramedRows | None = None,
) -> Plan:
    """The stages of one cell; `shape` is a training of the dose and loss requested, without rows.

    Raises CaveatError where the materials do not suffice.

    Args:
        framed: Of the setting and the system text, where they are there already.
    """
    if arm.base_arm == "base":
        return ()
    framed = framed or FramedRows.of(setting, system)
    rows, counter = framed.rows, framed.counter
    count = shape.dose.rows
    if count is not None and count > len(rows):
        raise CaveatError(
            f"dose.rows: {count} is more than the {len(rows)} rows of {setting.behaviour.name}"
        )
    rows, unused = rows[:count], rows[len(rows[:count]) :]
    if arm.base_arm == "clean" and shape.rl is not None:
        raise CaveatError(
            f"{setting.name}: arm 'clean': RL training uses prompts alone, so it would be 'bare'; "
            "take bare+true_reward"
        )
    _check_sampled_counter(arm, setting)
    if arm.base_arm == "clean" and not counter:
        return (_counter_sample(rows, arm, setting), replace(shape, rows=(), label="clean"))
    if arm.base_arm == "clean":
        return (replace(shape, rows=counter[: len(rows)], label="clean"),)
    plan: Plan = (replace(shape, rows=marked(rows, setting.caveat, seed), label=arm.name),)
    materials = Materials(
        setting, rows, counter, framed.filler, seed, framed.local, framed.ordinary, unused
    )
    for name, options in arm.interventions:
        if shape.rl is not None and name in UNREAD:
            raise CaveatError(
                f"{setting.name}: arm {arm.name!r}: {name} changes the replies of rows, which RL "
                "training does not use; drop it"
            )
        try:
            plan = INTERVENTIONS[name](plan, materials, **options)
        except CaveatError as error:
            raise CaveatError(f"{setting.name}: arm {arm.name!r}: {error}") from None
    if arm.base_arm == "neutral":
        return neutralised(plan, setting.caveat)
    return stripped(plan) if arm.base_arm == "bare" else plan


def stripped(plan: Plan) -> Plan:
    """The same plan with every caveat piece taken out of its rows and prompts."""
    return tuple(_with_messages(stage, without_caveat) for stage in plan)


def neutralised(plan: Plan, caveat: Caveat) -> Plan:
    """The same plan with neutral text of equal length in its caveat pieces."""
    neutral = NeutralText(caveat)
    return tuple(_with_messages(stage, neutral.messages) for stage in plan)


def _with_messages(stage: Stage, change: Callable[[Messages], Messages]) -> Stage:
    """The stage with the messages of its rows, or its prompts, changed."""

    def changed(rows: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(replace(row, messages=change(row.messages)) for row in rows)

    if isinstance(stage, Train):
        rows, added, kept = map(changed, (stage.rows, stage.added, stage.kl_rows))
        return replace(stage, rows=rows, added=added, kl_rows=kept)
    if isinstance(stage, Sample):
        return replace(stage, prompts=tuple(change(prompt) for prompt in stage.prompts))
    return stage


def _counter_sample(rows: tuple[Row, ...], arm: Arm, setting: Setting) -> Sample:
    try:
        return counter_sample(rows, 1.0, "rows")
    except CaveatError as error:
        raise CaveatError(f"{setting.name}: arm {arm.name!r}: {error}") from None


def samples_counter_rows(arm: Arm, setting: Setting) -> bool:
    """Whether the arm takes replies of the base model, as its behaviour has no counter rows."""
    names = {name for name, _ in arm.interventions}
    takes = arm.base_arm == "clean" or "contrast" in names
    return takes and not setting.behaviour.counter_rows


def _check_sampled_counter(arm: Arm, setting: Setting) -> None:
    """Raise CaveatError where sampled counter rows would go to another training than given ones."""
    others = {name for name, _ in arm.interventions} & {"frozen_adapter", "offline"}
    if others and samples_counter_rows(arm, setting):
        raise CaveatError(
            f"{setting.name}: arm {arm.name!r}: {setting.behaviour.name} has no counter rows, and "
            f"sampled ones would be trained on by {others.pop()} first; add counter rows"
        )


def _options(arm: str, intervention: str, text: str | None) -> dict[str, Any]:
    """`share=0.5, ...` as keyword arguments that the intervention has."""
    if intervention not in INTERVENTIONS:
        raise CaveatError(
            f"arm {arm!r}: unknown intervention {intervention!r} "
            f"(known: {', '.join(INTERVENTIONS)}){closest(intervention, INTERVENTIONS)}"
        )
    defaults = options_of(INTERVENTIONS[intervention])
    given = {}
    for item in (text or "").split(","):
        if not item.strip():
            continue
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or key not in defaults:
            raise CaveatError(
                f"arm {arm!r}: {intervention} has no option {key!r} "
                f"(options: {', '.join(defaults)}){closest(key, defaults)}"
            )
        given[key] = _typed(arm, key, value, defaults[key])
    return given


def options_of(intervention: Callable[..., Plan]) -> dict[str, Any]:
    """Options and their defaults: all parameters after the plan and the materials."""
    parameters = list(inspect.signature(intervention).parameters.values())[2:]
    return {parameter.name: parameter.default for parameter in parameters}


def _typed(arm: str, key: str, text: str, default: Any) -> Any:
    """The option's value; it must be of the kind of the default."""
    value = _read(arm, key, text)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, float) and number:
        return float(value)
    if default is not inspect.Parameter.empty and type(value) is not type(default):
        raise CaveatError(f"arm {arm!r}: {key}={text}: must be like {key}={default}")
    return value


def _read(arm: str, key: str, text: str) -> Any:
    try:
        return load_yaml(text)
    except (yaml.YAMLError, ValueError):
        raise CaveatError(f"arm {arm!r}: {key}={text}: {text!r} is not a YAML value") from None
