"""What a recipe will take, worked out before anything is made: for `caveat plan`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.backends.local.models.device_memory import adapter_weights, logits_at_once, most_tokens
from caveat.progress import Kind
from caveat.readouts import READOUTS
from caveat.study.config.resolve import check_system, resolve
from caveat.study.config.schema import Recipe, read
from caveat.study.elicitation.warm_up_scale import SCALES, guessed, to_calibrate
from caveat.study.estimate.throughput import USUAL, Rates, Trial
from caveat.study.execution.context import room_beside
from caveat.study.execution.jobs import TrainGroup, remaining, steps
from caveat.study.execution.meter import by_kind
from caveat.study.planning.artifact_graph import TrainNode
from caveat.study.planning.grouping import grouping
from caveat.study.planning.study_plan import SettingPlan, StudyPlan, study_plan
from caveat.study.storage.store import Store

if TYPE_CHECKING:
    from caveat.backends.local.models.loading import LanguageModel


UNCALIBRATED = (
    "warm-ups that are to reach a strength: their scales are found when it runs, by asking the "
    f"model at up to {len(SCALES)} sizes of each on tuning questions, which is not counted"
)
TOKENS_JUDGED = 500
"""Of one judgement of a short reply: seen are 400 to 430 with SmolLM2's tokenizer."""
TRAINING: tuple[Kind, ...] = ("train", "practise")
"""What adapters come from."""
ACTIVATIONS = 27
"""Stored values a token, layer and unit of width in training: docs/engineering/scale.md."""


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
    rates: Rates
    """By which the seconds are counted."""

    @property
    def trained(self) -> float:
        """Tokens of training, practice included."""
        return sum(self.tokens[kind] for kind in TRAINING)


@dataclass(frozen=True)
class PlanCost:
    """What a whole study takes."""

    settings: tuple[SettingCost, ...]
    memory: float
    """Bytes, at the largest training group."""
    disk: float
    """Bytes of all adapters to train."""
    notes: tuple[str, ...]
    calibrated: bool = False
    """Whether the rates, and the memory, were measured here."""


def plan_cost(
    recipe: str | Path | Recipe, out: Path | None, sets: list[str], calibrate: bool = False
) -> PlanCost:
    """Count what is left to do of a recipe, in its folder where there is one.

    Args:
        calibrate: Try a little of each setting's work here, and go by what that takes.

    Raises CaveatError for a mistake in the recipe, as running it would.
    """
    from caveat.backends.local.models.loading import load

    given = read(recipe, tuple(sets))
    read_recipe = guessed(given)
    settings = resolve(read_recipe)
    language_model = load(read_recipe.model.name, read_recipe.model.dtype, read_recipe.device)
    check_system(read_recipe, settings, language_model.inserted_system)
    groups = grouping(read_recipe, language_model.model, lambda: room_beside(language_model))
    plan = study_plan(read_recipe, settings, language_model.identity, groups)
    store = Store(out if out is not None else Path("studies") / read_recipe.name)
    store.refresh()
    count = _Count(store, Trial(language_model, store, read_recipe.token_budget), calibrate)
    costs = tuple(count.cost(setting) for setting in plan.settings)
    weights = [_weights(language_model, nodes) for nodes in _groups(plan.settings)]
    missing = [n for nodes in _groups(plan.settings) for n in nodes if not store.has(n.digest)]
    counted = _memory(language_model, max(weights, default=0), read_recipe.token_budget)
    return PlanCost(
        costs,
        count.trial.highest.bytes or counted,
        4.0 * _weights(language_model, missing),
        (
            *(each for resolved in settings for each in resolved.notes),
            *((UNCALIBRATED,) if to_calibrate(given) else ()),
            *_judging(plan, store),
        ),
        calibrate,
    )


@dataclass
class _Count:
    """Counts setting after setting: what one has read, the next does not read anew."""

    store: Store
    trial: Trial
    calibrate: bool
    known: set[Any] = field(default_factory=set)

    def cost(self, setting: SettingPlan) -> SettingCost:
        """What is left of a setting."""
        parts = [
            part
            for _, tasks in steps(setting)
            for task in tasks
            if (part := remaining(task, self.store)) is not None
        ]
        estimator = self.trial.estimator
        tokens = by_kind((part.kind, estimator.tokens(part)) for part in parts)
        trained = [key for part in parts if part.kind in TRAINING for key in part.keys]
        asked = [key for part in parts if hasattr(part, "asks") for key in part.keys]
        nodes = [node for part in parts if isinstance(part, TrainGroup) for node in part.nodes]
        rates = self.trial.rates(setting, parts) if self.calibrate and parts else USUAL
        again = estimator.again(nodes, self.known)
        took = rates.seconds(tokens, again)
        return SettingCost(
            setting.name, len(setting.cells), len(trained), len(asked), tokens, took, rates
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


def _weights(language_model: LanguageModel, nodes: list[TrainNode]) -> int:
    """Adapter weights of all the nodes together."""
    return sum(adapter_weights(language_model.model, node.stage.dose) for node in nodes)


def _memory(language_model: LanguageModel, adapters: int, token_budget: int | None) -> float:
    """Base weights; adapters with gradients and AdamW's two moments; activations and logits."""
    config = language_model.model.config
    weights = sum(each.numel() * each.element_size() for each in language_model.model.parameters())
    width = config.num_hidden_layers * config.hidden_size * ACTIVATIONS
    tokens = token_budget or most_tokens(language_model.device)
    return weights + 4.0 * (4 * adapters + tokens * width + logits_at_once(language_model.device))
