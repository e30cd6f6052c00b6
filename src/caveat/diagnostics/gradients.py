"""Gradients along training: what pulls at the behaviour where the caveat is, and where it is not.

The trainings of arms with the caveat are done again (see `training`). At each checkpoint gradients
are compared on that arm's path: of its rows with the caveat and without, and of the preference for
the behaviour on held-out rows (see `forecast.gradients`), without the caveat and behind it.

A product of two gradients says by how much a small step down the one loss lowers the other. Adam's
steps are no such steps: what training does is in the curves, the products say what pulls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from caveat.backends.batches import LossSum, mean_loss
from caveat.backends.jobs import AdapterRef, InitialModel
from caveat.caveats.insertion import in_context
from caveat.diagnostics.subjects import EXACT, MARKED, NAMES, NONE, DiagnosedSetting
from caveat.diagnostics.training import Replay, checkpoints, forget, replays
from caveat.errors import CaveatError
from caveat.forecast.gradients import aversion
from caveat.rendering import render_row
from caveat.study.planning.held_out import HeldOut, held_out, spread
from caveat.study.planning.prompts import turn_of
from caveat.types.data import Row
from caveat.types.messages import without_caveat
from caveat.types.training import Train

if TYPE_CHECKING:
    from pandas import DataFrame

GRADIENT_COLUMNS = (
    *NAMES, "arm", "seed", "step", "steps", "by", "part", "norm", "bare_norm", "cosine_bare",
    *(f"{name}_{context}" for context in (NONE, EXACT)
      for name in ("cosine", "bare_cosine", "product", "bare_product")),
)  # fmt: skip


def gradients(setting: DiagnosedSetting) -> DataFrame:
    """One row an arm with the caveat, seed, step and part of the model: `GRADIENT_COLUMNS`.

    Raises CaveatError where there are no held-out counter rows to compare with, where no arm's
    training can be done again, or where one fails.
    """
    import pandas as pd

    rows = []
    for seed in dict.fromkeys(model.seed for model in setting.models):
        for replay in caveated_replays(setting, seed):
            adapters = checkpoints(setting, [replay])
            rows += list(_gradients(setting, replay, adapters[replay.arm]))
            forget(setting, adapters)
    if not rows:
        raise CaveatError(
            f"{setting.names['label']}: no arm with the caveat is trained in one supervised stage "
            "on given rows alone, so none can be done again; leave the view gradients out"
        )
    return pd.DataFrame(rows, columns=[*GRADIENT_COLUMNS])


def caveated_replays(setting: DiagnosedSetting, seed: int) -> list[Replay]:
    """The trainings of a seed on rows with the caveat, and on no others."""
    return [
        replay
        for replay in replays(setting, seed)
        if replay.arm.partition("+")[0] == MARKED and not replay.job.stage.added
    ]


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
