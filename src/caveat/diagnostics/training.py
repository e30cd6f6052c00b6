"""Leakage along training: the arms' trainings are done again, and looked at after 0, 1, 2, 4 steps.

Trainings take the rows, seeds and order of the study's, so that the last checkpoint is the study's
adapter. At each checkpoint the decision tokens of rows that no arm is trained on are scored at
`none` and `exact` (`learning_curve`), and gradients are compared on marked's path (`gradients`):
of its rows with the caveat and without, and of the preference for the behaviour on held-out rows
(see `forecast.gradients`), without the caveat and behind it.

A product of two gradients says by how much a small step down the one loss lowers the other. Adam's
steps are no such steps: what training does is in the curves, the products say what pulls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from caveat.backends.base import AdapterRef, Failed, InitialModel, TrainingJob
from caveat.backends.batches import LossSum, mean_loss, steps_of
from caveat.caveats.insertion import in_context
from caveat.diagnostics.logits import rows_of, scored
from caveat.diagnostics.subjects import BARE, BASE, EXACT, MARKED, NAMES, NONE, DiagnosedSetting
from caveat.errors import CaveatError
from caveat.forecast.arms import unknown_parts
from caveat.forecast.gradients import aversion
from caveat.rendering import render_row
from caveat.study.planning.held_out import HeldOut, held_out, spread
from caveat.study.planning.prompts import turn_of
from caveat.types.data import Row
from caveat.types.messages import without_caveat
from caveat.types.training import Train

if TYPE_CHECKING:
    from pandas import DataFrame

CURVE_COLUMNS = (
    *NAMES, "arm", "seed", "step", "steps", "context", "nats", "change", "rows",
    "note",
)  # fmt: skip
GRADIENT_COLUMNS = (
    *NAMES, "arm", "seed", "step", "steps", "by", "part", "norm", "bare_norm", "cosine_bare",
    *(f"{name}_{context}" for context in (NONE, EXACT)
      for name in ("cosine", "bare_cosine", "product", "bare_product")),
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
    job: TrainingJob[AdapterRef]

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole."""
        return steps_of(self.job.stage)


def replays(setting: DiagnosedSetting, seed: int) -> list[Replay]:
    """The trainings of a seed that are one supervised stage on given rows, `bare` first.

    Others are left out: rows that are sampled or rewarded, and arms of several stages.
    """
    found = []
    for model in setting.models:
        own = setting.resolved.plans[model.arm, model.seed][len(setting.resolved.base) :]
        stages = [stage for stage in own if isinstance(stage, Train) and stage.rows]
        if model.seed == seed and len(own) == 1 and stages and not unknown_parts(own, stages[0]):
            own_seed = seed if stages[0].seed is None else stages[0].seed
            job = TrainingJob(model.arm, stages[0], own_seed, setting.base)
            found.append(Replay(model.arm, job))
    return sorted(found, key=lambda one: one.arm != BARE)


def left_out(setting: DiagnosedSetting) -> list[str]:
    """Arms whose training is not done again."""
    seeds = dict.fromkeys(model.seed for model in setting.models)
    there = {one.arm for seed in seeds for one in replays(setting, seed)}
    return [arm for arm in setting.arms if arm not in there]


def along_training(setting: DiagnosedSetting) -> dict[str, DataFrame]:
    """`learning_curve` and `gradients`, of every seed.

    Raises CaveatError where bare's training cannot be done again, where there are no held-out
    counter rows to compare with, or where a training fails.
    """
    import pandas as pd

    curves, gradients = [], []
    for seed in dict.fromkeys(model.seed for model in setting.models):
        own = replays(setting, seed)
        if not own or own[0].arm != BARE:
            raise CaveatError(
                f"{setting.names['label']}: bare's training is not one supervised stage on given "
                "rows, so it cannot be done again; leave the view training out"
            )
        adapters = _checkpoints(setting, own)
        curves += list(_curve(setting, seed, own, adapters))
        for replay in own:
            if replay.arm.partition("+")[0] == MARKED and not replay.job.stage.added:
                gradients += list(_gradients(setting, replay, adapters[replay.arm]))
        setting.backend.discard([ref for some in adapters.values() for ref in some.values()])
    return {
        "learning_curve": pd.DataFrame(curves, columns=[*CURVE_COLUMNS]),
        "gradients": pd.DataFrame(gradients, columns=[*GRADIENT_COLUMNS]),
    }


def _checkpoints(setting: DiagnosedSetting, own: list[Replay]) -> dict[str, dict[int, AdapterRef]]:
    """By arm and step, its adapter."""
    steps = sorted({step for replay in own for step in checkpoint_steps(replay.steps)})
    size = setting.backend.capacity().adapters(own[0].job.stage.dose)
    adapters: dict[str, dict[int, AdapterRef]] = {}
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


def _gradients(
    setting: DiagnosedSetting, replay: Replay, adapters: dict[int, AdapterRef]
) -> Iterator[dict]:
    """One row a step and part of the model."""
    stage = replay.job.stage
    start = InitialModel(stage.dose, replay.job.seed, setting.base)
    sums = gradient_sums(setting, stage)
    for step, ref in adapters.items():
        products = setting.backend.gradient_gram(start, ref, sums)
        parts = [("all", "", products.sum(0))]
        parts += [("layer", str(layer), some) for layer, some in enumerate(products) if some.any()]
        for by, part, gram in parts:
            yield {
                **setting.names, "arm": replay.arm, "seed": replay.job.seed, "step": step,
                "steps": replay.steps, "by": by, "part": part, **_geometry(gram),
            }  # fmt: skip


def gradient_sums(setting: DiagnosedSetting, stage: Train) -> list[LossSum]:
    """Losses whose gradients are compared: rows, rows without caveat, preference twice.

    The preferences have their sign turned: a step that lowers them raises the preference. Behind
    the caveat there is none where the setting is not measured at `exact`.
    """
    most = setting.limits.questions or len(stage.rows)
    rows = spread(stage.rows, most)
    bare = [replace(row, messages=without_caveat(row.messages)) for row in rows]
    tokenizer, tokens = setting.backend.tokenizer, stage.dose.max_tokens
    sums = [
        mean_loss([render_row(tokenizer, row, stage.loss, tokens) for row in some])
        for some in (rows, bare)
    ]
    held = held_out(setting.resolved, setting.system, max(2, most // 2))
    contexts = [NONE, EXACT] if EXACT in setting.resolved.contexts else [NONE]
    for context in contexts:
        there = HeldOut(
            *(tuple(_in(setting, row, context) for row in some)
              for some in (held.behaviour, held.counter)), held.notes,
        )  # fmt: skip
        sums.append(aversion(tokenizer, there, tokens))
    return sums


def _in(setting: DiagnosedSetting, row: Row, context: str) -> Row:
    caveat = setting.resolved.setting.caveat
    messages = in_context(row.messages, caveat, context, turn_of(row.id))  # type: ignore[arg-type]
    return replace(row, messages=messages)


def _geometry(gram: np.ndarray) -> dict[str, float]:
    """Norms, cosines and products, from inner products of the gradients of `gradient_sums`."""
    norms = np.sqrt(np.diag(gram))
    values = {"norm": norms[0], "bare_norm": norms[1], "cosine_bare": _cosine(gram, norms, 0, 1)}
    for position, context in enumerate((NONE, EXACT), 2):
        if position < len(gram):
            values |= {
                f"cosine_{context}": _cosine(gram, norms, 0, position),
                f"bare_cosine_{context}": _cosine(gram, norms, 1, position),
                f"product_{context}": gram[0, position],
                f"bare_product_{context}": gram[1, position],
            }
    return values


def _cosine(gram: np.ndarray, norms: np.ndarray, one: int, other: int) -> float:
    size = norms[one] * norms[other]
    return float(gram[one, other] / size) if size > 0 else float("nan")
