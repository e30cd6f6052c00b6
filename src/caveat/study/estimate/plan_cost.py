"""Estimate what a recipe takes before it runs: jobs, tokens, time and memory (`caveat plan`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from caveat.backends import facts_of
from caveat.backends.prices import price_table
from caveat.progress import Kind, Progress
from caveat.readouts import READOUTS
from caveat.study.config.remote_models import with_remote_models
from caveat.study.config.resolve import check_system, resolve
from caveat.study.config.schema import Recipe, read
from caveat.study.elicitation.warm_up_scale import SCALES, guessed, to_calibrate
from caveat.study.estimate.dollars import Cost, cost_of
from caveat.study.estimate.loss_mass import LossMass, arm_masses
from caveat.study.estimate.pool_use import PoolUse, pool_use
from caveat.study.estimate.rates import Rates, entry_of, expected_rates
from caveat.study.estimate.remote_tokens import request_note
from caveat.study.estimate.training_rows import check_rows
from caveat.study.execution.jobs import AnswerGroup, RemoteGroup
from caveat.study.execution.meter import KINDS, Estimator
from caveat.study.execution.tasks import left_tasks
from caveat.study.planning.artifact_graph import TrainNode
from caveat.study.planning.features import check_features
from caveat.study.planning.graded import with_what_is_supported
from caveat.study.planning.grouping import grouping
from caveat.study.planning.study_plan import SettingPlan, StudyPlan, study_plan
from caveat.study.storage.store import Store

UNCALIBRATED = (
    "warm-ups that are to reach a strength: their scales are found when it runs, by answers to "
    f"tuning questions at up to {len(SCALES)} scales of each, which are not counted"
)
JUDGE_TOKENS = 500
"""Tokens of one judge request about a short reply: 400 to 430 with SmolLM2's tokenizer."""
TRAINING: tuple[Kind, ...] = ("train", "rl")
"""Kinds of work that make adapters."""
FLOAT32 = 4
"""Bytes of a value."""


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
    masses: tuple[tuple[str, str, LossMass], ...]
    """Setting, arm, and where the arm's loss lies; one for each of its supervised stages."""
    notes: tuple[str, ...]
    cost: Cost | None = None
    """Of a service's work; None where this machine does it."""
    pool_use: PoolUse | None = None
    """On a cluster, what bounds the time; None where the study runs in one process."""
    workers: int | None = None
    """Workers that the recipe names."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of work of which there is some left."""
        return tuple(kind for kind in KINDS if any(cost.tokens[kind] for cost in self.settings))


def plan_cost(
    recipe: str | Path | Recipe, out: Path | None, sets: list[str], prices: Path | None = None
) -> PlanCost:
    """Estimate what is left to do of a recipe, in its folder where there is one.

    Args:
        prices: A price table in place of the shipped one.

    Raises CaveatError for a mistake in the recipe, as running it would.
    """
    given = read(recipe, tuple(sets))
    read_recipe = guessed(given)
    settings = with_remote_models(read_recipe, resolve(read_recipe))
    notes = _Notes()
    backend = facts_of(read_recipe.backend_source, notes)
    check_system(read_recipe, settings, backend.inserted_system)
    check_features(settings, backend)
    read_recipe, unsupported = with_what_is_supported(read_recipe, backend)
    workers = read_recipe.ray_workers.workers if read_recipe.executor == "ray" else None
    capacity = replace(backend.capacity(), workers=workers or 1)
    groups = grouping(read_recipe, lambda: capacity)
    plan = study_plan(read_recipe, settings, backend.identity, groups)
    store = Store(out if out is not None else Path("studies") / read_recipe.name)
    store.refresh()
    rates = expected_rates(entry_of(backend), notes.say)
    estimator = Estimator(backend.tokenizer)
    cuts = check_rows(plan, estimator)
    costs = tuple(_setting_cost(setting, store, estimator, rates) for setting in plan.settings)
    trainings = list(_groups(plan.settings))
    doses = [[node.stage.dose for node in nodes] for nodes in trainings]
    missing = [n for nodes in trainings for n in nodes if not store.has(n.digest)]
    return PlanCost(
        costs,
        rates,
        float(max(map(capacity.training_bytes, [[], *doses]))),
        float(FLOAT32 * sum(capacity.weights(node.stage.dose) for node in missing)),
        tuple(
            (setting.name, arm, mass)
            for setting in plan.settings
            if not setting.resolved.models
            for arm, mass in arm_masses(setting, estimator.row)
        ),
        (
            *(note for resolved in settings for note in resolved.notes),
            *cuts,
            *unsupported,
            *dict.fromkeys(note for setting in plan.settings for note in setting.notes),
            *((UNCALIBRATED,) if to_calibrate(given) else ()),
            *request_note(plan, store),
            *_judge_requests(plan, store),
            *notes.messages,
        ),
        cost_of(plan, store, estimator, price_table(backend, prices))
        if prices is not None or read_recipe.backend != "local"
        else None,
        _pool_use(plan, store, estimator, rates) if read_recipe.executor == "ray" else None,
        workers,
    )


def _pool_use(plan: StudyPlan, store: Store, estimator: Estimator, rates: Rates) -> PoolUse:
    """What bounds the time of all that is left."""
    return pool_use(
        left_tasks(plan.settings, store),
        lambda task: rates.seconds(_by_kind([(task.kind, estimator.tokens(task))])),
    )


class _Notes(Progress):
    """Keeps messages for the end."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def say(self, message: str) -> None:
        self.messages.append(message)


def _setting_cost(
    setting: SettingPlan, store: Store, estimator: Estimator, rates: Rates
) -> SettingCost:
    """What is left of a setting."""
    jobs = left_tasks([setting], store)
    tokens = _by_kind((job.kind, estimator.tokens(job)) for job in jobs)
    own_jobs = [job for job in jobs if not isinstance(job, RemoteGroup)]
    trained = [key for job in own_jobs if job.kind in TRAINING for key in job.keys]
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
