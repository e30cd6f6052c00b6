"""What of a finished study can be diagnosed: its settings with materials, models and adapters.

The recipe in the study's folder is resolved again. Its plan must name the adapters that the study
was made with, else rows, questions and answers would not belong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from caveat.backends import load_backend
from caveat.backends.base import Backend, Feature
from caveat.backends.jobs import AdapterRef
from caveat.errors import CaveatError, closest
from caveat.progress import Progress
from caveat.study.config.resolve import Resolved, resolve
from caveat.study.config.schema import Recipe, read
from caveat.study.planning.artifact_graph import Cell, cell_of
from caveat.study.planning.digests import chain_digest
from caveat.study.planning.held_out import spread
from caveat.study.planning.prompts import PlannedPrompt, measured
from caveat.study.planning.study_plan import SettingPlan, cells_alone
from caveat.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE, BARE, MARKED, CLEAN = "base", "bare", "marked", "clean"
NONE, EXACT = "none", "exact"
NAMES = ("setting", "phenomenon", "behaviour", "caveat", "model", "dose", "label")
"""Columns that every table begins with. `label` is the setting with what distinguishes it from
others of its name, such as `lake x negated (loss=all_but_caveat)`."""
WITHOUT_WEIGHTS = (
    "without weights there are rates and graded leakage (caveat leakage), effects (caveat mixed), "
    "and forecasts on an open model (caveat forecast)"
)


MOST_SEEDS = 5
"""Seeds that are diagnosed where no number is given: as many as a result needs."""


@dataclass(frozen=True)
class Limits:
    """How much is diagnosed; all that there is where a field is None."""

    arms: tuple[str, ...] | None = None
    """`base` and `bare` are always there."""
    seeds: int | None = None
    """The first seeds of the study; `MOST_SEEDS` at most where None."""
    questions: int | None = 24
    """Questions, and rows, of a setting that are read."""
    parts: tuple[str, ...] | None = None
    """What is switched off, one after the other: see `switches.parts_of`."""
    layers: tuple[int, ...] | None = None
    """Decoder layers whose hidden states are read, from 0: what each layer writes."""


@dataclass(frozen=True)
class TrainedModel:
    """An arm of one seed."""

    arm: str
    seed: int
    adapters: tuple[AdapterRef, ...]
    """In the order of attachment."""

    @property
    def own(self) -> AdapterRef:
        """The arm's own update: the adapter of its last training, without frozen ones under it."""
        return self.adapters[-1]


@dataclass(frozen=True)
class DiagnosedSetting:
    """A setting of the study at one dose, on its backend."""

    names: dict[str, str]
    """By `NAMES`."""
    resolved: Resolved
    system: str | None
    base: tuple[AdapterRef, ...]
    """The adapters of the base model: those of a warm-up, else none."""
    models: tuple[TrainedModel, ...]
    """Finished arms and seeds, `bare` among them, in the recipe's order."""
    scores: Mapping[str, Any]
    """What the study scored already, by key."""
    backend: Backend
    limits: Limits
    shared: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was computed already for settings that are diagnosed together, by key."""

    @property
    def arms(self) -> list[str]:
        """Trained arms, in order."""
        return list(dict.fromkeys(model.arm for model in self.models))

    @property
    def caveated(self) -> list[TrainedModel]:
        """The models of bare, and of the arms with the caveat."""
        return [
            model
            for model in self.models
            if model.arm == BARE or model.arm.partition("+")[0] == MARKED
        ]

    def model_digest(self, chain: Sequence[AdapterRef]) -> str:
        """What the study calls a model in keys of its answers and scores."""
        digests = tuple(getattr(adapter, "name", str(adapter)) for adapter in chain)
        return chain_digest(self.backend.identity, digests)

    def of(self, arm: str) -> list[TrainedModel]:
        """The models of an arm, by seed."""
        return [model for model in self.models if model.arm == arm]

    def prompts(self, contexts: Sequence[str]) -> dict[str, list[PlannedPrompt]]:
        """By context, the same questions in the same order: at most `limits.questions`.

        They are those of the scope `trained` where there are some, evenly spread.
        """
        planned = [
            prompt for prompt in measured(self.resolved, self.system)
            if prompt.purpose == "measure" and prompt.context in contexts
        ]  # fmt: skip
        by_place = {(prompt.question.id, prompt.context): prompt for prompt in planned}
        questions = dict.fromkeys(prompt.question for prompt in planned)
        complete = [
            question
            for question in questions
            if all((question.id, context) in by_place for context in contexts)
        ]
        trained = [question for question in complete if question.scope == "trained"]
        chosen = spread(trained or complete, self.limits.questions or len(complete))
        return {
            context: [by_place[question.id, context] for question in chosen] for context in contexts
        }

    def chains(self) -> Iterator[tuple[str, int | None, tuple[AdapterRef, ...]]]:
        """The base model, then every trained one: arm, seed and adapters."""
        yield BASE, None, self.base
        for model in self.models:
            yield model.arm, model.seed, model.adapters


def checked_study(study: object) -> Study:
    """The study, if it is one that was run here. Raises CaveatError for a file or an import."""
    if not isinstance(study, Study):
        source = getattr(study, "source", "")
        raise CaveatError(
            f"{source}: an exported file has no adapters; name the study's folder; "
            f"{WITHOUT_WEIGHTS}"
        )
    if study.is_imported:
        raise CaveatError(
            f"{study.folder}: verdicts of others were imported here, without adapters; "
            f"{WITHOUT_WEIGHTS}"
        )
    return study


def recipe_of(study: Study) -> Recipe:
    """The recipe of the study. Raises CaveatError where its weights are elsewhere."""
    recipe = read(yaml.safe_load(study.recipe_text()))
    if recipe.backend != "local":
        raise CaveatError(
            f"{study.folder}: its backend is {recipe.backend!r}, which gives no weights to read; "
            f"{WITHOUT_WEIGHTS}"
        )
    return recipe


def backend_of(study: Study, recipe: Recipe, device: str, progress: Progress) -> Backend:
    """The study's base model, loaded. Raises CaveatError where its weights are others now."""
    dtype = study.about["model"].rpartition("/")[2]
    backend = load_backend(recipe.model.source, dtype, device, recipe.token_budget, progress)
    check_weights(study, backend)
    return backend


def check_weights(study: Study, backend: Backend) -> None:
    """Raise CaveatError for a backend that gives no weights, or those of another model."""
    if Feature.WEIGHTS not in backend.supports:
        raise CaveatError(
            f"diagnose: needs {Feature.WEIGHTS.value}, which this backend of {backend.name} does "
            f"not have; {WITHOUT_WEIGHTS}"
        )
    if backend.identity != study.about["model"]:
        raise CaveatError(
            f"model '{backend.name}' is {backend.identity} now, and was {study.about['model']} "
            f"when {study.folder} was run; its adapters belong to those weights"
        )


def diagnosed_settings(
    study: Study,
    recipe: Recipe,
    backend: Backend,
    setting: str | Sequence[str] | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> list[DiagnosedSetting]:
    """The settings of a study whose arms are trained, or those of some names or labels.

    Settings without a finished arm are left out, with a line.

    Raises CaveatError for a name that there is not, a study whose rows are others now, adapters
    that are gone, and a setting without `bare`.
    """
    limits, progress = limits or Limits(), progress or Progress()
    resolved = _resolved(study, recipe)
    wanted = [setting] if isinstance(setting, str) else setting
    plans = [
        plan
        for plan in cells_alone(recipe, resolved, None, backend.identity)
        if wanted is None or any(name.startswith(plan.name) for name in wanted)
    ]
    for name in wanted or ():
        if not any(name in (plan.name, _label(plan)) for plan in plans):
            every = cells_alone(recipe, resolved, None, backend.identity)
            names = list(dict.fromkeys([*(one.name for one in every), *map(_label, every)]))
            raise CaveatError(
                f"--setting {name!r}: {study.folder} has {', '.join(names)}{closest(name, names)}"
            )
    _check_plan(study, plans)
    _check_limits(limits, recipe, plans)
    if limits.seeds is None and len(recipe.seeds) > MOST_SEEDS:
        progress.say(f"the first {MOST_SEEDS} of {len(recipe.seeds)} seeds; --seeds takes more")
    kept: list[DiagnosedSetting] = []
    shared: dict[Any, Any] = {}
    for one in plans:
        if wanted is None or {one.name, _label(one)} & {*wanted}:
            diagnosed = _diagnosed(study, recipe, one, backend, limits, shared)
            if diagnosed.models:
                kept.append(diagnosed)
            else:
                progress.say(f"{diagnosed.names['label']}: left out: no arm is finished yet")
    if not kept:
        raise CaveatError(f"{study.folder}: no arm is trained yet; run its recipe first")
    return kept


def _label(plan: SettingPlan) -> str:
    """The setting with what distinguishes it from others of its name."""
    return plan.cells[0].name.partition(" / ")[0]


def _resolved(study: Study, recipe: Recipe) -> tuple[Resolved, ...]:
    try:
        return resolve(recipe)
    except CaveatError as error:
        raise CaveatError(
            f"{study.folder}: its rows and questions cannot be read again ({error}); run this "
            "where the recipe was run, with its files"
        ) from None


def _check_plan(study: Study, plans: Sequence[SettingPlan]) -> None:
    """Raise CaveatError where the recipe comes to other adapters than the study was made with."""
    names = {plan.name for plan in plans}
    stored = {
        (row["setting"], row["arm"], row["seed"], tuple(row["chain"]))
        for row in study.store.lines(f"versions/{study.version}/cells.jsonl")
        if row["setting"] in names
    }
    planned = {tuple(cell.chain) for plan in plans for cell in plan.cells}
    if missing := [row for row in stored if row[3] not in planned]:
        name, arm, seed, _ = missing[0]
        raise CaveatError(
            f"{study.folder}: {name} / {arm} / seed {seed} would be trained on other rows now: its "
            "files or this version of caveat changed since it was run; run its recipe again"
        )


def _check_limits(limits: Limits, recipe: Recipe, plans: Sequence[SettingPlan]) -> None:
    arms = list(dict.fromkeys(cell.arm for plan in plans for cell in plan.cells))
    for arm in limits.arms or ():
        if arm not in arms:
            raise CaveatError(f"--arm {arm!r}: the study has {', '.join(arms)}{closest(arm, arms)}")
    if limits.seeds is not None and limits.seeds > len(recipe.seeds):
        raise CaveatError(
            f"--seeds {limits.seeds}: the study has {len(recipe.seeds)}; take at most so many"
        )


def _diagnosed(
    study: Study,
    recipe: Recipe,
    plan: SettingPlan,
    backend: Backend,
    limits: Limits,
    shared: dict[Any, Any],
) -> DiagnosedSetting:
    pair = plan.resolved.setting
    label = _label(plan)
    names = (
        plan.name, pair.phenomenon, pair.behaviour.name, pair.caveat.name,
        plan.model_name(recipe.model.source), plan.dose, label,
    )  # fmt: skip
    base = cell_of("", BASE, None, plan.resolved.base, backend.identity).chain
    models = tuple(_models(study, recipe, plan, base, limits))
    if models and not any(model.arm == BARE for model in models):
        raise CaveatError(
            f"{label}: the arm bare is not trained, and everything is compared with it; run the "
            "recipe to its end"
        )
    return DiagnosedSetting(
        dict(zip(NAMES, names, strict=True)),
        plan.resolved,
        recipe.system,
        tuple(study.store.artifact(digest) for digest in base),
        models,
        study.store.answers,
        backend,
        limits,
        shared,
    )


def _models(
    study: Study, recipe: Recipe, plan: SettingPlan, base: tuple[str, ...], limits: Limits
) -> Iterator[TrainedModel]:
    """The finished cells. Raises CaveatError where one was answered and its adapter is gone."""
    answered = {
        (row["arm"], row["seed"])
        for row in study.planned
        if (row["setting"], row["dose"]) == (plan.name, plan.dose)
        and row["answer"] in study.store.answers
    }
    for cell in plan.cells:
        if cell.seed is None or cell.chain == base or not _within(cell, recipe, limits):
            continue
        missing = [digest for digest in cell.chain if not study.store.has(digest)]
        if not missing:
            adapters = tuple(study.store.artifact(digest) for digest in cell.chain)
            yield TrainedModel(cell.arm, cell.seed, adapters)
        elif (cell.arm, cell.seed) in answered:
            raise CaveatError(
                f"{cell.name}: its adapter is not in the store any more "
                f"({study.store.artifact(missing[0])}); run the recipe again: it is trained anew"
            )


def _within(cell: Cell, recipe: Recipe, limits: Limits) -> bool:
    arms, seeds = limits.arms, recipe.seeds[: limits.seeds or MOST_SEEDS]
    return cell.seed in seeds and (arms is None or cell.arm == BARE or cell.arm in arms)


def layers_of(setting: DiagnosedSetting) -> tuple[int, ...]:
    """The layers to read. Raises CaveatError for one that the model does not have."""
    count = len(setting.backend.capacity().layer_weights)
    given = setting.limits.layers
    layers = tuple(range(count)) if given is None else given
    for layer in layers:
        if not 0 <= layer < count:
            raise CaveatError(
                f"--layers {layer}: the model has {count} layers, 0 to {count - 1}; name some of "
                "these"
            )
    return layers
