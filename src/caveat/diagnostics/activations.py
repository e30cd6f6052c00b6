"""Hidden states at the questions: how far an arm moves in the direction in which bare moves.

The direction of the behaviour at a layer is the mean difference of hidden states between bare and
base, at the last token of the study's questions at `none`. It is taken from other questions and
other seeds than those that are measured along it, so that bare's own noise is no part of it.

A small movement is no proof: two public studies saw the drift along a trait's direction fall by 81%
and 59% while the behaviour leaked .80 and .98. Read `diagnostics.scores` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from caveat.backends.jobs import AdapterRef
from caveat.backends.requests import StateRequest
from caveat.diagnostics.intervals import share_limits, t_limits
from caveat.diagnostics.probes import Probe, folds_of
from caveat.diagnostics.subjects import BARE, BASE, EXACT, NAMES, NONE, DiagnosedSetting, layers_of
from caveat.rendering import render_prompt

if TYPE_CHECKING:
    from pandas import DataFrame

RANDOM_DIRECTIONS = 200
RANDOM_SEED = 20260401
LEAST_MOVE = 1e-6
"""Relative to the size of the states: a layer that bare moves by less is not moved."""
MOVEMENT_COLUMNS = (
    *NAMES, "arm", "context", "layer", "share", "share_low", "share_high", "along", "distance",
    "random", "seeds",
)  # fmt: skip
HELD_COLUMNS = (
    *NAMES, "arm", "context", "layer", "held", "held_low", "held_high", "accuracy", "shuffled",
    "shuffled_high", "questions", "seeds",
)  # fmt: skip


HELD_LIMITS = ("held", "held_low", "held_high")


@dataclass(frozen=True)
class QuestionStates:
    """Hidden states at the last token of questions, of the base model and of trained ones."""

    layers: tuple[int, ...]
    contexts: tuple[str, ...]
    groups: tuple[str, ...]
    """Per question, its cluster: no cluster is on both sides of a split."""
    base: dict[str, np.ndarray]
    """By context, of shape (questions, layers, width)."""
    trained: dict[tuple[str, int], dict[str, np.ndarray]]
    """By arm and seed, the same."""

    def moves(self, arm: str, seed: int, context: str) -> np.ndarray:
        """What training changed, of shape (questions, layers, width)."""
        return self.trained[arm, seed][context] - self.base[context]

    def seeds(self, arm: str) -> list[int]:
        """The seeds of an arm."""
        return [seed for name, seed in self.trained if name == arm]

    def other_seed(self, seed: int) -> int:
        """Another seed of bare, the next one; the same where it has one only."""
        seeds = self.seeds(BARE)
        return seeds[(seeds.index(seed) + 1) % len(seeds)] if seed in seeds else seeds[0]


def question_states(
    setting: DiagnosedSetting, contexts: tuple[str, ...] = (NONE, EXACT)
) -> QuestionStates:
    """Read the states of every model at the questions, in those contexts that the setting has."""
    contexts = tuple(context for context in contexts if context in setting.resolved.contexts)
    prompts, layers = setting.prompts(contexts), layers_of(setting)
    texts = {
        context: [
            render_prompt(setting.backend.tokenizer, prompt.messages).ids
            for prompt in prompts[context]
        ]
        for context in contexts
    }

    def read(chain: tuple[AdapterRef, ...]) -> dict[str, np.ndarray]:
        requests = [
            StateRequest(context, chain, ids, ((len(ids) - 1,),))
            for context in contexts
            for ids in texts[context]
        ]
        states = np.concatenate(setting.backend.hidden_states(requests, layers))
        return dict(zip(contexts, np.split(states, len(contexts)), strict=True))

    return QuestionStates(
        layers,
        contexts,
        tuple(prompt.question.cluster for prompt in prompts[NONE]),
        read(setting.base),
        {(model.arm, model.seed): read(model.adapters) for model in setting.models},
    )


def movements(names: dict[str, str], states: QuestionStates) -> DataFrame:
    """One row an arm, context and layer, with the columns `MOVEMENT_COLUMNS`.

    A movement is against base in the same context, so what the caveat's text itself does to states
    is no part of it. `along` is how far the arm moves along the direction of the behaviour, in
    units of that direction's length: of bare at `none`, 1 if its direction is the same in other
    seeds and questions. `share` is `along` over that of bare at `none` of the same seed, with 95%
    limits over seeds; NaN at layers that bare does not move. `distance` is the length of the arm's
    mean movement, whatever its direction, over that of bare. `random` is the 95th percentile of
    `share` without its sign along random directions: what is below says nothing.
    """
    import pandas as pd

    folds = folds_of(states.groups, 2)
    rows = []
    for arm in dict.fromkeys(name for name, _ in states.trained):
        for context in states.contexts:
            values = [_moved(states, folds, arm, seed, context) for seed in states.seeds(arm)]
            for position, layer in enumerate(states.layers):
                share, along, distance, random = (
                    np.array([one[part][position] for one in values]) for part in range(4)
                )
                limits = dict(
                    zip(("share", "share_low", "share_high"), t_limits(share), strict=True)
                )
                rows.append(
                    {
                        **names, "arm": arm, "context": context, "layer": layer, **limits,
                        "along": _mean(along), "distance": _mean(distance),
                        "random": _mean(random), "seeds": len(values),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows, columns=[*MOVEMENT_COLUMNS])


def _mean(values: np.ndarray) -> float:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else float("nan")


def _moved(
    states: QuestionStates, folds: np.ndarray, arm: str, seed: int, context: str
) -> tuple[np.ndarray, ...]:
    """Share, along, distance and what is along random directions: each of shape (layers,)."""
    other = states.moves(BARE, states.other_seed(seed), NONE)
    own_bare = states.moves(BARE, seed, NONE) if (BARE, seed) in states.trained else other
    own = states.moves(arm, seed, context)
    directions = random_directions(own.shape[-1])
    parts = []
    # where nothing is trained, lengths are 0: those layers become NaN below
    with np.errstate(invalid="ignore", divide="ignore"):
        for half in dict.fromkeys(folds.tolist()):
            parts.append(_half(own, own_bare, other, folds == half, directions))
        along, bare_along, units, distance, bare_distance, random = np.mean(parts, 0)
        size = np.linalg.norm(states.base[NONE], axis=-1).mean(0)
        moves = bare_distance > LEAST_MOVE * size
        return tuple(
            np.where(moves, value, np.nan)
            for value in (along / bare_along, units, distance / bare_distance, random)
        )


def _half(
    own: np.ndarray,
    own_bare: np.ndarray,
    other: np.ndarray,
    measured: np.ndarray,
    directions: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """The figures of `_moved` over some questions, along the direction of the other ones.

    Args:
        own: What training changed, of shape (questions, layers, width).
        own_bare: The same of bare with the same seed.
        other: The same of bare with another seed.
        measured: Per question, whether it is measured.
        directions: Random ones.
    """
    fitted = measured if measured.all() else ~measured  # a single cluster is both
    direction = other[fitted].mean(0)
    length = np.linalg.norm(direction, axis=-1)
    moved, bare = own[measured].mean(0), own_bare[measured].mean(0)
    along, bare_along = ((some * direction).sum(-1) / length for some in (moved, bare))
    sideways = np.abs(moved @ directions) / np.abs(bare_along)[:, None]
    distances = (np.linalg.norm(some, axis=-1) for some in (moved, bare))
    return along, bare_along, along / length, *distances, np.quantile(sideways, 0.95, axis=-1)


def random_directions(width: int) -> np.ndarray:
    """Directions of length 1, of shape (width, `RANDOM_DIRECTIONS`); always the same."""
    vectors = np.random.default_rng(RANDOM_SEED).standard_normal((width, RANDOM_DIRECTIONS))
    return vectors / np.linalg.norm(vectors, axis=0)


def held_probe(names: dict[str, str], states: QuestionStates) -> DataFrame:
    """One row an arm, context and layer, with the columns `HELD_COLUMNS`: is it as in bare?

    A linear probe tells bare's states from base's at the questions at `none`. It is trained on
    other clusters of questions, and on another seed of bare. `held` is the share of an arm's states
    that it takes for bare's, with 95% limits over seeds; `accuracy` is its own, on base and bare at
    `none`. `shuffled` is the mean accuracy where bare and base were exchanged at random, question
    by question, and `shuffled_high` the 95th percentile.

    The probe sees all that bare's training changed, not the belief alone: look at `clean` and
    `neutral`, and at base in the row `exact`.
    """
    import pandas as pd

    seeds = states.seeds(BARE)
    tables = [_held(states, seed) for seed in seeds]
    rows = []
    for arm, context in tables[0]:
        parts = [table[arm, context] for table in tables if (arm, context) in table]
        for position, layer in enumerate(states.layers):
            values = [[part[position] for part in some] for some in parts]
            held, accuracy, shuffled, high = np.array(values, float).T
            limits = dict(zip(HELD_LIMITS, share_limits(held), strict=True))
            rows.append(
                {
                    **names, "arm": arm, "context": context, "layer": layer, **limits,
                    "accuracy": accuracy.mean(), "shuffled": shuffled.mean(),
                    "shuffled_high": high.mean(), "questions": len(states.groups),
                    "seeds": len(parts),
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=[*HELD_COLUMNS])


def _held(states: QuestionStates, seed: int) -> dict[tuple[str, str], tuple[np.ndarray, ...]]:
    """By arm and context: held, accuracy, shuffled and its 95th percentile, each by layer."""
    fitted = states.trained[BARE, states.other_seed(seed)][NONE]
    tested = {
        (arm, context): states.trained[arm, seed][context]
        for arm, own_seed in states.trained
        if own_seed == seed
        for context in states.contexts
    }
    tested |= {(BASE, context): states.base[context] for context in states.contexts}
    by_layer: dict[tuple[str, str], list[tuple[float, ...]]] = {key: [] for key in tested}
    for position in range(len(states.layers)):
        probe = Probe(fitted[:, position], states.base[NONE][:, position], states.groups)
        positive = {key: probe.positive(some[:, position]) for key, some in tested.items()}
        right = (positive[BARE, NONE].mean(0) + 1 - positive[BASE, NONE].mean(0)) / 2
        summary = (right[0], right[1:].mean(), np.quantile(right[1:], 0.95))
        for key, some in positive.items():
            by_layer[key].append((some[:, 0].mean(), *summary))
    return {key: tuple(np.array(values).T) for key, values in by_layer.items()}


def at_depth(table: DataFrame, share: float = 0.75) -> DataFrame:
    """The rows of the layer at that share of the depth: a fixed one, so that none is picked."""
    layers: Sequence[int] = sorted(table["layer"].unique())
    return table[table["layer"] == layers[round(share * (len(layers) - 1))]]
