"""What a recipe will take, worked out before anything is made: for `caveat plan`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.progress import Kind
from caveat.readouts import READOUTS
from caveat.study.calibration import SCALES, guessed, to_calibrate
from caveat.study.cells import TrainNode
from caveat.study.cost import Estimator, by_kind, seconds
from caveat.study.planning import SettingPlan, StudyPlan, study_plan
from caveat.study.recipe import Recipe, read
from caveat.study.resolve import check_system, resolve
from caveat.study.store import Store
from caveat.study.todo import remaining, steps

if TYPE_CHECKING:
    from caveat.language.source import LanguageModel

UNCALIBRATED = (
    "warm-ups that are to reach a strength: their scales are found when it runs, by asking the "
    f"model at up to {len(SCALES)} sizes of each on tuning questions, which is not counted"
)
TOKENS_JUDGED = 500
"""Of one judgement of a short reply: seen are 400 to 430 with SmolLM2's tokenizer."""
ACTIVATIONS = 18
"""Stored values a token, layer and unit of width, seen on SmolLM2-135M in training."""


@dataclass(frozen=True)
class SettingCost:
    """What one setting takes beyond those before it."""

    setting: str
    cells: int
    adapters: int
    """To train."""
    answers: int
    tokens: dict[Kind, float]
    seconds: float


@dataclass(frozen=True)
class PlanCost:
    """What a whole study takes."""

    settings: tuple[SettingCost, ...]
    memory: float
    """Bytes, at the largest training group."""
    disk: float
    """Bytes of all adapters to train."""
    notes: tuple[str, ...]


def plan_cost(recipe: str | Path | Recipe, out: Path | None, sets: list[str]) -> PlanCost:
    """Count what is left to do of a recipe, in its folder where there is one.

    Raises CaveatError for a mistake in the recipe, as running it would.
    """
    from caveat.language.source import load

    given = read(recipe, tuple(sets))
    read_recipe = guessed(given)
    settings = resolve(read_recipe)
    language_model = load(read_recipe.model.name, read_recipe.model.dtype, read_recipe.device)
    check_system(read_recipe, settings, language_model.inserted_system)
    plan = study_plan(read_recipe, settings, language_model.identity)
    store = Store(out if out is not None else Path("studies") / read_recipe.name)
    store.refresh()
    estimator = Estimator(language_model.tokenizer)
    costs = tuple(_cost(setting, store, estimator) for setting in plan.settings)
    groups = [_group_parameters(language_model, nodes) for nodes in _groups(plan.settings)]
    missing = [n for nodes in _groups(plan.settings) for n in nodes if not store.has(n.digest)]
    return PlanCost(
        costs,
        _memory(language_model, max(groups, default=0), read_recipe.token_budget),
        4.0 * _group_parameters(language_model, missing),
        (
            *(each for resolved in settings for each in resolved.notes),
            *((UNCALIBRATED,) if to_calibrate(given) else ()),
            *_judging(plan, store),
        ),
    )


def _cost(setting: SettingPlan, store: Store, estimator: Estimator) -> SettingCost:
    parts = [
        part
        for _, tasks in steps(setting)
        for task in tasks
        if (part := remaining(task, store)) is not None
    ]
    tokens = by_kind((part.kind, estimator.tokens(part)) for part in parts)
    trained = [key for part in parts if part.kind == "train" for key in part.keys]
    asked = [key for part in parts if hasattr(part, "asks") for key in part.keys]
    return SettingCost(
        setting.name, len(setting.cells), len(trained), len(asked), tokens, seconds(tokens)
    )


def _judging(plan: StudyPlan, store: Store) -> Iterator[str]:
    """What the judge will be asked, in one line; nothing where none is needed."""
    left = {
        line.verdict
        for line in plan.lines
        if READOUTS[line.question.readout].needs == "judge" and line.verdict not in store.verdicts
    }
    judge = plan.recipe.judge
    if left and judge is not None:
        yield (
            f"{len(left):,} replies for the judge {judge.model} at {judge.endpoint}, about "
            f"{len(left) * TOKENS_JUDGED:,} tokens; judge.token_cap is {judge.token_cap:,}"
        )


def _groups(settings: tuple[SettingPlan, ...]) -> Iterator[list[TrainNode]]:
    for setting in settings:
        for group in setting.groups:
            trained = [node for node in group if isinstance(node, TrainNode)]
            if trained:
                yield trained


def _group_parameters(language_model: LanguageModel, nodes: list[TrainNode]) -> int:
    """Adapter weights of all the nodes together."""
    from caveat.language.lockstep import adapted_modules

    total = 0
    for node in nodes:
        for name in adapted_modules(language_model.model, node.stage.dose.layers):
            linear: Any = language_model.model.get_submodule(name)
            total += node.stage.dose.rank * (linear.in_features + linear.out_features)
    return total


def _memory(language_model: LanguageModel, adapters: int, token_budget: int) -> float:
    """Base weights; adapters with gradients and AdamW's two moments; activations of one pass."""
    config = language_model.model.config
    weights = sum(each.numel() * each.element_size() for each in language_model.model.parameters())
    width = config.num_hidden_layers * config.hidden_size * ACTIVATIONS + 2 * config.vocab_size
    return weights + 4.0 * 4 * adapters + 4.0 * token_budget * width
