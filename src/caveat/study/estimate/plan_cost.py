"""Estimate what a recipe takes before it runs: jobs, tokens, time and memory (`caveat plan`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from caveat.backends.local.models.device_memory import adapter_weights, logits_at_once, most_tokens
from caveat.progress import Kind
from caveat.readouts import READOUTS
from caveat.study.config.resolve import check_system, resolve
from caveat.study.config.schema import Recipe, read
from caveat.study.elicitation.warm_up_scale import SCALES, guessed, to_calibrate
from caveat.study.estimate.rates import Rates, entry_of, expected_rates
from caveat.study.execution.context import room_beside
from caveat.study.execution.jobs import AnswerGroup, remaining, steps
from caveat.study.execution.meter import KINDS, Estimator
from caveat.study.planning.artifact_graph import TrainNode
from caveat.study.planning.grouping import grouping
from caveat.study.planning.study_plan import SettingPlan, StudyPlan, study_plan
from caveat.study.storage.store import Store

if TYPE_CHECKING:
    from caveat.backends.local.models.loading import LanguageModel


UNCALIBRATED = (
    "warm-ups that are to reach a strength: their scales are found when it runs, by answers to "
    f"tuning questions at up to {len(SCALES)} scales of each, which are not counted"
)
JUDGE_TOKENS = 500
"""Tokens of one judge request about a short reply: 400 to 430 with SmolLM2's tokenizer."""
TRAINING: tuple[Kind, ...] = ("train", "rl")
"""Kinds of work that make adapters."""
ACTIVATIONS = 27
"""Values that training stores per token, layer and unit of width: docs/engineering/scale.md."""
FLOAT32 = 4
"""Bytes of a value."""
TRAINING_COPIES = 4
"""Values of each adapter weight in training: itself, its gradient, and AdamW's two moments."""


@dataclass(frozen=True)
class SettingCost:
    """What one setting takes beyond those before it."""

    setting: str
    cells: int
    adapters: int
    """To train."""
    answers: int
    """To sample or to score."""
    tokens: dict[Kind, float]
    seconds: float

    @property
    def trained(self) -> float:
        """Tokens of SFT and of RL."""
        return sum(self.tokens[kind] for kind in TRAINING)


@dataclass(frozen=True)
class PlanCost:
    """What a whole study takes."""

    settings: tuple[SettingCost, ...]
    rates: Rates
    """Tokens per second that the times are computed with."""
    memory: float
    """Peak memory in bytes: see `_memory`."""
    disk: float
    """Bytes of all adapters to train."""
    notes: tuple[str, ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of work of which there is some left."""
        return tuple(kind for kind in KINDS if any(cost.tokens[kind] for cost in self.settings))


def plan_cost(recipe: str | Path | Recipe, out: Path | None, sets: list[str]) -> PlanCost:
    """Estimate what is left to do of a recipe, in its folder where there is one.

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
    problems: list[str] = []
    rates = expected_rates(entry_of(language_model), problems.append)
    estimator = Estimator(language_model.tokenizer)
    costs = tuple(_setting_cost(setting, store, estimator, rates) for setting in plan.settings)
    weights = [_weights(language_model, nodes) for nodes in _groups(plan.settings)]
    missing = [n for nodes in _groups(plan.settings) for n in nodes if not store.has(n.digest)]
    return PlanCost(
        costs,
        rates,
        _memory(language_model, max(weights, default=0), read_recipe.token_budget),
        float(FLOAT32 * _weights(language_model, missing)),
        (
            *(note for resolved in settings for note in resolved.notes),
            *((UNCALIBRATED,) if to_calibrate(given) else ()),
            *_judge_requests(plan, store),
            *problems,
        ),
    )


def _setting_cost(
    setting: SettingPlan, store: Store, estimator: Estimator, rates: Rates
) -> SettingCost:
    """What is left of a setting."""
    jobs = [
        job
        for _, stage in steps(setting)
        for task in stage
        if (job := remaining(task, store)) is not None
    ]
    tokens = _by_kind((job.kind, estimator.tokens(job)) for job in jobs)
    trained = [key for job in jobs if job.kind in TRAINING for key in job.keys]
    answered = [key for job in jobs if isinstance(job, AnswerGroup) for key in job.keys]
    return SettingCost(
        setting.name,
        len(setting.cells),
        len(trained),
        len(answered),
        tokens,
        rates.seconds(tokens),
    )


def _by_kind(costs: Iterable[tuple[Kind, float]]) -> dict[Kind, float]:
    """Tokens summed by kind."""
    total = dict.fromkeys(KINDS, 0.0)
    for kind, tokens in costs:
        total[kind] += tokens
    return total


def _judge_requests(plan: StudyPlan, store: Store) -> Iterator[str]:
    """One line about the requests to the judge; nothing where none is needed."""
    left = {
        line.verdict
        for line in plan.lines
        if READOUTS[line.question.readout].needs == "judge" and line.verdict not in store.verdicts
    }
    judge = plan.recipe.judge
    if left and judge is not None:
        yield (
            f"{len(left):,} replies for the judge {judge.model} at {judge.endpoint}, about "
            f"{len(left) * JUDGE_TOKENS:,} tokens; judge.token_cap is {judge.token_cap:,}"
        )


def _groups(settings: tuple[SettingPlan, ...]) -> Iterator[list[TrainNode]]:
    """The adapters that are trained together, group by group."""
    for setting in settings:
        for group in setting.groups:
            trained = [node for node in group if isinstance(node, TrainNode)]
            if trained:
                yield trained


def _weights(language_model: LanguageModel, nodes: list[TrainNode]) -> int:
    """Number of adapter weights of all the nodes together."""
    return sum(adapter_weights(language_model.model, node.stage.dose) for node in nodes)


def _memory(language_model: LanguageModel, adapters: int, token_budget: int | None) -> float:
    """Estimated peak memory in bytes, in training.

    The base model; `adapters` weights of the largest group with gradients and AdamW's moments;
    activations of one pass of `token_budget` padded tokens, in float32; one chunk of logits.
    """
    config = language_model.model.config
    weights = language_model.model.parameters()
    base = sum(weight.numel() * weight.element_size() for weight in weights)
    values_per_token = config.num_hidden_layers * config.hidden_size * ACTIVATIONS
    tokens = token_budget or most_tokens(language_model.device)
    values = TRAINING_COPIES * adapters + tokens * values_per_token
    return base + FLOAT32 * (values + logits_at_once(language_model.device))
