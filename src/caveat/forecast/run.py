"""Forecasts: what the marked arms of a recipe will leak, before any arm is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from caveat.backends import check_backend
from caveat.backends.base import Backend, Feature
from caveat.backends.jobs import InitialModel
from caveat.errors import CaveatError, closest
from caveat.forecast.arms import MARKED, ForecastModel, Subject, subjects
from caveat.forecast.decision_tokens import FIGURES as NATS
from caveat.forecast.decision_tokens import ScoreCache, decision_nats
from caveat.forecast.gradients import BareTrainings, PreferenceGradient
from caveat.forecast.losses import Losses, losses, similarities
from caveat.forecast.onsets import FIGURES as ONSETS
from caveat.forecast.onsets import onset_gains
from caveat.forecast.records import FIGURES, Forecast, save
from caveat.progress import Progress
from caveat.study.config.resolve import Resolved, check_system, resolve
from caveat.study.config.schema import Recipe, SettingRecipe, read
from caveat.study.elicitation.base_model import BaseModelProbe
from caveat.study.elicitation.warm_up_scale import calibrated, to_calibrate
from caveat.study.execution.context import WorkerContext, worker_context_of
from caveat.study.execution.executors import JobRunner, executor_of
from caveat.study.execution.meter import Meter
from caveat.study.execution.tasks import steps
from caveat.study.planning.features import check_features
from caveat.study.planning.held_out import HeldOut, held_out
from caveat.study.planning.study_plan import SettingPlan, StudyPlan, study_plan
from caveat.study.scoring.judge_session import judge_session_of
from caveat.study.storage.store import Store
from caveat.study.versions import version_of
from caveat.types.data import Row

ROWS = 16
"""Of each kind: rows that an arm is trained on, rows and counter rows that are held out."""
Result = TypeVar("Result")
Values = dict[str, float | str]
"""By arm or by figure, a value, or in one line why there is none."""
LOSSES = FIGURES[1:5]
COMPUTED = FIGURES[1:]
"""All but elicitation."""
LEFT_OUT = "left out"


def forecast(
    recipe: Recipe | str | Path | dict[str, Any],
    out: str | Path | None = None,
    progress: Progress | None = None,
    sets: Sequence[str] = (),
    rows: int = ROWS,
    backend: Backend | None = None,
    figures: Collection[str] = FIGURES,
) -> tuple[Forecast, ...]:
    """Forecast every marked arm of a recipe; written to `forecast.json` in the study's folder, too.

    Warm-ups, and what base models reply to tuning questions, are made there: a later run finds
    them. `sets` are `"a.b=c"` items.

    Args:
        rows: Most rows of each kind that are read; fewer are quicker, and less sure.
        backend: In place of the backend `local`, which loads the recipe's model.
        figures: The names in `FIGURES` to compute; the others are undefined. `first_order` and
            `short_horizon` take most of the time.

    Raises CaveatError for a mistake in the recipe, one without marked arms, or a folder in use.
    """
    unknown = sorted(set(figures) - set(FIGURES))
    if unknown:
        raise CaveatError(
            f"figures: {unknown[0]!r} is none of {', '.join(FIGURES)}{closest(unknown[0], FIGURES)}"
        )
    read_recipe = read(recipe, tuple(sets))
    settings = resolve(read_recipe)
    _check_arms(read_recipe, settings)
    if backend is None:
        read_recipe.demand_local("caveat forecast")
        check_backend(read_recipe.backend_source)
    folder = Path(out) if out is not None else Path("studies") / read_recipe.name
    meter = Meter(progress or Progress())
    store = Store(folder, meter.say)
    judge_session = judge_session_of(read_recipe, settings, store.judge_replies)
    with store.writing():
        store.refresh(repair=True)
        worker_context = worker_context_of(read_recipe, store, meter, backend=backend)
        meter.stage(f"loading {read_recipe.model.source}")
        model = worker_context.backend
        check_system(read_recipe, settings, model.inserted_system)
        if Feature.LIKELIHOOD not in model.supports:
            raise CaveatError(
                f"forecast: needs {Feature.LIKELIHOOD.value}, which this backend of {model.name} "
                "does not have; use another backend"
            )
        check_features(settings, model)
        with closing(executor_of(read_recipe, worker_context, meter)) as executor:
            job_runner = JobRunner(store, executor, meter)
            base_model_probe = BaseModelProbe(job_runner, model.identity, judge_session)
            if to_calibrate(read_recipe):
                read_recipe = calibrated(read_recipe, base_model_probe, meter.say)
            plan = study_plan(read_recipe, resolve(read_recipe), model.identity)
            forecaster = _Forecaster(
                read_recipe, worker_context, job_runner, base_model_probe, rows, frozenset(figures)
            )
            forecasts = tuple(forecaster.forecasts(plan))
        about = {
            "recipe": read_recipe.name,
            "model": model.identity,
            "version": version_of(plan),
            "rows": rows,
        }
        save(folder, (one.record() for one in forecasts), **about, seed=read_recipe.seeds[0])
    return forecasts


def _check_arms(recipe: Recipe, settings: Sequence[Resolved]) -> None:
    arms = dict.fromkeys(arm for setting in settings for arm, _ in setting.plans)
    if not any(arm.startswith(MARKED) for arm in arms):
        raise CaveatError(
            f"{recipe.name}: no marked arm to forecast (arms: {', '.join(arms)}); "
            "add marked, or marked with an intervention, to the recipe"
        )


@dataclass(frozen=True)
class _Forecaster:
    """A recipe, each strength with its scale, and what its base models are made and tested with."""

    recipe: Recipe
    worker_context: WorkerContext
    job_runner: JobRunner
    base_model_probe: BaseModelProbe
    rows: int
    figures: frozenset[str]
    """The names of those to compute."""
    bare_trainings: BareTrainings = field(default_factory=dict)
    """What settings that share a bare arm need not compute again."""
    scored: ScoreCache = field(default_factory=dict)
    """What texts were scored for earlier figures and settings."""

    def forecasts(self, plan: StudyPlan) -> Iterator[Forecast]:
        """One a marked arm, setting by setting of the recipe's plan."""
        for setting_recipe, setting in zip(self.recipe.settings, plan.settings, strict=True):
            self.job_runner.meter.stage(f"{setting.name}: forecast")
            ahead = subjects(setting.resolved, self.recipe.seeds[0], self.rows)
            if len(ahead) > 1:
                yield from self._of_setting(setting_recipe, setting, ahead)

    def _of_setting(
        self, setting_recipe: SettingRecipe, setting: SettingPlan, ahead: tuple[Subject, ...]
    ) -> Iterator[Forecast]:
        began = time.monotonic()
        elicitation = (
            _or_reason(lambda: self.base_model_probe.elicitation(self.recipe, setting_recipe))
            if "elicitation" in self.figures
            else LEFT_OUT
        )
        held = held_out(setting.resolved, self.recipe.system, self.rows)
        start = _or_reason(lambda: self._start(setting))
        values = (
            {subject.arm: dict.fromkeys(COMPUTED, start) for subject in ahead}
            if isinstance(start, str)
            else self._computed(start, ahead, held, setting.resolved.setting.behaviour.counter_rows)
        )
        took = time.monotonic() - began
        pair = setting.resolved.setting
        for subject in ahead[1:]:
            yield Forecast(
                setting.name,
                pair.phenomenon,
                pair.behaviour.name,
                pair.caveat.name,
                setting.model_name(self.recipe.model.source),
                setting.dose,
                subject.arm,
                {"elicitation": elicitation, **values[subject.arm]},
                held.notes,
                took,
            )

    def _computed(
        self,
        start: ForecastModel,
        ahead: tuple[Subject, ...],
        held: HeldOut,
        counters: Sequence[Row],
    ) -> dict[str, Values]:
        """By arm, every figure but elicitation."""
        movement = PreferenceGradient(
            start, ahead, held, self._group_size(start), self.bare_trainings
        )
        arms = [subject.arm for subject in ahead]
        by_name: dict[str, Values] = {
            name: dict.fromkeys(arms, LEFT_OUT) for name in COMPUTED if name not in self.figures
        }
        moved = {"first_order": movement.first_order, "short_horizon": movement.short_horizon}
        for name in sorted(self.figures & {*moved}):
            values = _or_reason(moved[name])
            by_name[name] = dict.fromkeys(arms, values) if isinstance(values, str) else values
        if "similarity" in self.figures:
            by_name["similarity"] = {**similarities(start, ahead)}
        # onsets first: they score all tokens, so that the decision tokens need no pass of their own
        if self.figures & {*ONSETS}:
            by_name = {**onset_gains(start, ahead, counters, self.scored), **by_name}
        if self.figures & {*NATS}:
            by_name = {**decision_nats(start, ahead, counters, self.scored), **by_name}
        if self.figures & {*LOSSES}:
            lost = {arm: _losses(both) for arm, both in losses(start, ahead).items()}
            for name in LOSSES:
                by_name.setdefault(name, {arm: lost[arm][name] for arm in arms})
        return {arm: {name: by_name[name][arm] for name in COMPUTED} for arm in arms}

    def _group_size(self, model: ForecastModel) -> int:
        """Adapters that are trained together."""
        return self.recipe.group_size or model.backend.capacity().adapters(model.start.dose)

    def _start(self, setting: SettingPlan) -> ForecastModel:
        """The setting's base model, made where it is not yet. Raises CaveatError."""
        base = replace(setting.resolved, plans={("base", None): setting.resolved.base})
        (alone,) = study_plan(self.recipe, (base,), self.base_model_probe.model).settings
        for stage, tasks in steps(alone):
            if stage == "training":
                self.job_runner.do(tasks, stage)
        (cell,) = alone.cells
        for digest in cell.chain:
            if not self.job_runner.store.has(digest):
                failed = (self.job_runner.reasons.get(node.digest) for node in cell.nodes)
                _, why = next(filter(None, failed), ("", "it was not made"))
                raise CaveatError(f"its base model: {why}")
        start = InitialModel(
            setting.resolved.dose, self.recipe.seeds[0], self.worker_context.adapters(cell.chain)
        )
        return ForecastModel(self.worker_context.backend, start)


def _or_reason(compute: Callable[[], Result]) -> Result | str:
    try:
        return compute()
    except CaveatError as error:
        return str(error)


def _losses(both: Losses | str) -> Values:
    if isinstance(both, str):
        return dict.fromkeys(LOSSES, both)
    bare, marked = both
    ratio = marked / bare if bare else "without the caveat its loss is 0"
    return dict(zip(LOSSES, (bare, marked, bare - marked, ratio), strict=True))
