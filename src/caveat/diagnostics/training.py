"""Leakage along training: the arms' trainings are done again, and looked at after 0, 1, 2, 4 steps.

Trainings take the rows, seeds and order of the study's, so that the last checkpoint is the study's
adapter. At each checkpoint the decision tokens of rows that no arm is trained on are scored at
`none` and `exact`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveat.backends.batches import steps_of
from caveat.backends.jobs import AdapterRef, Failed, TrainingJob
from caveat.diagnostics.logits import rows_of, scored
from caveat.diagnostics.subjects import BARE, BASE, EXACT, NAMES, NONE, DiagnosedSetting
from caveat.errors import CaveatError
from caveat.forecast.arms import unknown_parts
from caveat.types.training import Train

if TYPE_CHECKING:
    from pandas import DataFrame

CURVE_COLUMNS = (
    *NAMES, "arm", "seed", "step", "steps", "context", "nats", "change", "rows",
    "note",
)  # fmt: skip
SEPARATOR = " at step "


def checkpoint_steps(steps: int) -> tuple[int, ...]:
    """0, 1, 2, 4, 8 and so on, and the last step."""
    powers = (2**power for power in range(steps.bit_length()))
    return (0, *(power for power in powers if power < steps), steps)


@dataclass(frozen=True)
class Replay:
    """The training of one arm and seed, to be done again."""

    arm: str
    seed: int
    """The study's, of which the job's own is one where the stage names none."""
    job: TrainingJob[AdapterRef]

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole."""
        return steps_of(self.job.stage)


def replays(setting: DiagnosedSetting, seed: int) -> list[Replay]:
    """The trainings of a seed that are one supervised stage on given rows, `bare` first.

    Others are left out: rows that are sampled or rewarded, and arms of several stages.
    """
    trainings = []
    for model in setting.models:
        own = setting.resolved.plans[model.arm, model.seed][len(setting.resolved.base) :]
        stages = [stage for stage in own if isinstance(stage, Train) and stage.rows]
        if model.seed == seed and len(own) == 1 and stages and not unknown_parts(own, stages[0]):
            own_seed = seed if stages[0].seed is None else stages[0].seed
            job = TrainingJob(model.arm, stages[0], own_seed, setting.base)
            trainings.append(Replay(model.arm, seed, job))
    return sorted(trainings, key=lambda one: one.arm != BARE)


def left_out(setting: DiagnosedSetting) -> list[str]:
    """Arms whose training is not done again."""
    seeds = dict.fromkeys(model.seed for model in setting.models)
    there = {one.arm for seed in seeds for one in replays(setting, seed)}
    return [arm for arm in setting.arms if arm not in there]


def learning_curve(setting: DiagnosedSetting) -> DataFrame:
    """One row an arm, seed, step and context, with the columns `CURVE_COLUMNS`.

    `nats` is the mean log-probability of the decision tokens, in nats a token, and `change` its
    change from base.

    Raises CaveatError where bare's training cannot be done again, or a training fails.
    """
    import pandas as pd

    curves = []
    for seed in dict.fromkeys(model.seed for model in setting.models):
        own = replays(setting, seed)
        if not own or own[0].arm != BARE:
            raise CaveatError(
                f"{setting.names['label']}: bare's training is not one supervised stage on given "
                "rows, so it cannot be done again; leave the view training out"
            )
        adapters = checkpoints(setting, own)
        curves += list(_curve(setting, seed, own, adapters))
        forget(setting, adapters)
    return pd.DataFrame(curves, columns=[*CURVE_COLUMNS])


def forget(setting: DiagnosedSetting, adapters: dict[str, dict[int, AdapterRef]]) -> None:
    """Let go of the adapters of `checkpoints`, but of bare's, which other settings share."""
    own = [ref for arm, some in adapters.items() if arm != BARE for ref in some.values()]
    setting.backend.discard(own)


def checkpoints(setting: DiagnosedSetting, own: list[Replay]) -> dict[str, dict[int, AdapterRef]]:
    """By arm and step, its adapter. Raises CaveatError where a training fails.

    Bare is trained once for all settings that are diagnosed together and share it.
    """
    stored = {replay.arm: key for replay in own if (key := shared_key(setting, replay))}
    adapters = {arm: setting.shared[key] for arm, key in stored.items() if key in setting.shared}
    new = [replay for replay in own if replay.arm not in adapters]
    adapters |= _trained(setting, new)
    setting.shared.update({key: adapters[arm] for arm, key in stored.items()})
    return adapters


def shared_key(setting: DiagnosedSetting, replay: Replay) -> tuple[str, AdapterRef] | None:
    """What the checkpoints of a training are shared by: the study's adapter of bare, else None."""
    own = [one.own for one in setting.of(BARE) if (one.arm, one.seed) == (replay.arm, replay.seed)]
    return ("checkpoints", own[0]) if own else None


def _trained(setting: DiagnosedSetting, own: list[Replay]) -> dict[str, dict[int, AdapterRef]]:
    steps = sorted({step for replay in own for step in checkpoint_steps(replay.steps)})
    adapters: dict[str, dict[int, AdapterRef]] = {}
    size = setting.backend.capacity().adapters(own[0].job.stage.dose) if own else 1
    for start in range(0, len(own), size):
        some = own[start : start + size]
        results = setting.backend.checkpoints([replay.job for replay in some], steps)
        for replay, result in zip(some, results, strict=True):
            if isinstance(result, Failed):
                raise CaveatError(
                    f"{setting.names['label']} / {replay.arm}: done again, its training failed: "
                    f"{result.reason}"
                )
            wanted = checkpoint_steps(replay.steps)
            setting.backend.discard([ref for step, ref in result.items() if step not in wanted])
            adapters[replay.arm] = {step: result[step] for step in wanted}
    return adapters


def _curve(
    setting: DiagnosedSetting,
    seed: int,
    own: list[Replay],
    adapters: dict[str, dict[int, AdapterRef]],
) -> Iterator[dict]:
    """One row an arm, step and context: means over the rows that decide something."""
    contexts = tuple(name for name in (NONE, EXACT) if name in setting.resolved.contexts)
    steps = {replay.arm: replay.steps for replay in own}
    chains = [
        (f"{arm}{SEPARATOR}{step}", seed, (*setting.base, ref))
        for arm, some in adapters.items()
        for step, ref in some.items()
    ]
    note = rows_of(setting).note
    frame = scored(setting, [(BASE, None, setting.base), *chains], contexts)
    base = frame[frame["arm"] == BASE].set_index(["context", "row"])["value"]
    for (name, context), rows in frame[frame["arm"] != BASE].groupby(["arm", "context"]):
        arm, _, step = name.partition(SEPARATOR)
        values = rows.set_index(["context", "row"])["value"]
        yield {
            **setting.names, "arm": arm, "seed": seed, "step": int(step), "steps": steps[arm],
            "context": context, "nats": values.mean(), "change": (values - base).mean(),
            "rows": len(values), "note": note,
        }  # fmt: skip
