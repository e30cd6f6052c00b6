"""Does the direction in which bare moves carry the behaviour? It is taken out, and models answer.

At every layer that bare moves, the component of all hidden states along bare's direction is set to
the base model's mean (see `activations` and `Backend.ablated`), in bare and in the arms with the
caveat. If the rate falls, the direction carries the behaviour there; if it stays, what a probe
reads along it is not what the model acts on. A random direction, treated in the same way, says how
much of a fall is damage.

The direction comes from other questions, and from another seed of bare, than those that answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from caveat.backends.inspection import Ablation
from caveat.diagnostics.activations import (
    LEAST_MOVE,
    QuestionStates,
    question_states,
    random_directions,
)
from caveat.diagnostics.probes import folds_of
from caveat.diagnostics.rates import (
    Task,
    new_answers,
    own_answers,
    prompts_of,
    rate_table,
    whole_tasks,
)
from caveat.diagnostics.subjects import BARE, NONE, DiagnosedSetting

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.types.answers import Answer

DIRECTION, RANDOM = "bare's direction", "random direction"


def direction_removed(setting: DiagnosedSetting) -> DataFrame:
    """One row a readout, arm, part and context: see `rates.rate_table`.

    `part` is what is taken out: "", `bare's direction`, or `random direction`. Raises CaveatError
    for a readout that needs a judge.
    """
    bare = replace(setting, models=tuple(setting.of(BARE)))
    states = question_states(bare, (NONE,))
    whole = whole_tasks(setting, prompts_of(setting))
    clusters = [*states.groups, *(task.prompt.question.cluster for task in whole)]
    folds = dict(zip(clusters, folds_of(clusters, 2), strict=True))
    tasks, answers = list(whole), own_answers(setting, whole)
    for seed in dict.fromkeys(model.seed for model in setting.caveated):
        for fold in sorted(set(folds.values())):
            fitted = np.array([folds[group] != fold for group in states.groups])
            for part, ablations in _ablations(states, seed, fitted).items():
                some = [
                    replace(task, part=part)
                    for task in whole
                    if task.model.seed == seed and folds[task.prompt.question.cluster] == fold
                ]
                tasks += some
                answers += _answers(setting, some, ablations)
    return rate_table(setting, tasks, answers)


def _answers(
    setting: DiagnosedSetting, tasks: list[Task], ablations: dict[int, Ablation]
) -> list[Answer]:
    with setting.backend.ablated(ablations):
        return new_answers(setting, tasks)


def _ablations(
    states: QuestionStates, seed: int, fitted: np.ndarray
) -> dict[str, dict[int, Ablation]]:
    """By part, by layer, what is taken out.

    Args:
        fitted: Per question, whether the direction is taken from it; a single cluster is.
    """
    fitted = fitted if fitted.any() else ~fitted
    base = states.base[NONE][fitted]
    moved = states.moves(BARE, states.other_seed(seed), NONE)[fitted].mean(0)
    size = np.linalg.norm(base, axis=-1).mean(0)
    random = random_directions(base.shape[-1])
    parts: dict[str, dict[int, Ablation]] = {DIRECTION: {}, RANDOM: {}}
    for position, layer in enumerate(states.layers):
        length = np.linalg.norm(moved[position])
        if length > LEAST_MOVE * size[position]:
            for part, direction in (
                (DIRECTION, moved[position] / length),
                (RANDOM, random[:, position % random.shape[1]]),
            ):
                value = float(base[:, position].mean(0) @ direction)
                parts[part][layer] = Ablation(direction, value)
    return parts
