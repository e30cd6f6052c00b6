"""Running a study: what is missing and nothing else.

The tasks of all settings are one pool. Settings are scored and reported in their order; in this
process their tasks run in that order, too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from caveat.backends import check_backend
from caveat.backends.base import Backend
from caveat.backends.callbacks import Callback
from caveat.backends.spending import BudgetedBackend, Limit, Spending
from caveat.environments.grader import sandbox_notes
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.provenance import now
from caveat.study.config.remote_models import with_remote_models
from caveat.study.config.resolve import Resolved, check_system, resolve
from caveat.study.config.schema import Recipe, read
from caveat.study.elicitation.base_model import BaseModelProbe
from caveat.study.elicitation.warm_up_scale import calibrated, to_calibrate
from caveat.study.estimate.dollars import check_budget
from caveat.study.estimate.rates import entry_of, expected_rates, remember
from caveat.study.estimate.remote_tokens import check_token_cap
from caveat.study.estimate.training_rows import check_rows
from caveat.study.execution.context import WorkerContext, worker_context_of
from caveat.study.execution.executors import Executor, JobRunner, executor_of
from caveat.study.execution.lost import set_lost_aside
from caveat.study.execution.meter import Estimator, Meter
from caveat.study.execution.tasks import left_tasks, steps
from caveat.study.metrics import write_stages
from caveat.study.planning.features import check_features
from caveat.study.planning.graded import with_what_is_supported
from caveat.study.planning.grouping import grouping
from caveat.study.planning.study_plan import SettingPlan, StudyPlan, study_plan
from caveat.study.scoring.judge_session import JudgeSession, judge_session_of
from caveat.study.scoring.verdicts import score_answers
from caveat.study.storage.store import Store
from caveat.study.study import Study
from caveat.study.tracking import Tracking
from caveat.study.versions import note, open_version


def run(
    recipe: Recipe | str | Path | dict[str, Any],
    out: str | Path | None = None,
    progress: Progress | None = None,
    sets: Sequence[str] = (),
    callbacks: Sequence[Callback] = (),
    backend: Backend | None = None,
    report: bool = True,
    limit: Limit | None = None,
    track: str | None = None,
    **overrides: Any,
) -> Study:
    """Run a recipe, or go on with it, in the folder `out` (`studies/NAME` where none is given).

    `overrides` replace fields of the recipe, such as `seeds=[1, 2]`; `sets` are `"a.b=c"` items.
    Parts that fail are in `Study.failures()`; all else is there.

    Args:
        callbacks: Hear of every step of training (`backends.callbacks.Callback`). The executor
            `ray` sends each worker a pickled copy of its own: what it remembers stays there, what
            it writes to a file can be read.
        backend: In place of the one that the recipe names; with the executor `local` only.
        report: Whether report.html is written at the end; `Study.report` writes it later.
        limit: What this run may spend on a service with known prices; needed there.
        track: `trackio` or `wandb`: an experiment tracker that gets every step of training.

    Raises CaveatError for a mistake in the recipe, a folder in use, or a full disk.
    """
    progress = progress or Progress()
    items = tuple(f"{key}={json.dumps(value)}" for key, value in overrides.items())
    read_recipe = read(recipe, (*sets, *items))
    settings = with_remote_models(read_recipe, resolve(read_recipe))
    if backend is None:
        check_backend(read_recipe.backend_source)
    elif read_recipe.executor == "ray":
        raise CaveatError(
            "executor 'ray': a backend object stays in its process; leave out backend=, or use "
            "the executor local"
        )
    folder = Path(out) if out is not None else Path("studies") / read_recipe.name
    meter = Meter(progress)
    store = Store(folder, meter.say)
    judge_session = judge_session_of(read_recipe, settings, store.judge_replies)
    tracking = None if track is None else Tracking(track, store, read_recipe.name, meter.say)
    if tracking is not None and read_recipe.executor == "local":
        callbacks = (*callbacks, tracking)
    with store.writing():
        run = _Run(read_recipe, settings, store, meter, judge_session, report, limit, tracking)
        return run.run(worker_context_of(run.recipe, store, meter, callbacks, backend))


class _Run:
    """One run of a study: what is planned, what failed, and how long the stages took."""

    def __init__(
        self,
        recipe: Recipe,
        settings: tuple[Resolved, ...],
        store: Store,
        meter: Meter,
        judge_session: JudgeSession | None,
        report: bool = True,
        limit: Limit | None = None,
        tracking: Tracking | None = None,
    ) -> None:
        self.report, self.limit, self.tracking = report, limit or Limit(), tracking
        self.spending: Spending | None = None
        self.recipe, self.settings, self.store, self.meter = recipe, settings, store, meter
        self.judge_session = judge_session
        self.seconds: dict[str, float] = {}
        self.failures: list[dict[str, str]] = []
        self.notes: tuple[str, ...] = ()
        self.job_runner: JobRunner

    def run(self, worker_context: WorkerContext) -> Study:
        """Do all that is missing, then report."""
        code_notes = sandbox_notes(one.setting.behaviour.task for one in self.settings)
        self.store.refresh(repair=True)
        if self.recipe.executor == "ray":  # GPUs are for the workers
            worker_context = replace(worker_context, device="cpu")
        with self._stage(f"loading {self.recipe.model.source}"):
            backend = worker_context.backend
            check_system(self.recipe, self.settings, backend.inserted_system)
            check_features(self.settings, backend)
            worker_context = self._limited(worker_context)
            backend.connect()
            self.recipe, self.notes = with_what_is_supported(self.recipe, backend)
            self.notes += code_notes
        with (
            ExitStack() as open_until_the_end,
            closing(executor_of(self.recipe, worker_context, self.meter)) as executor,
        ):
            self.job_runner = JobRunner(self.store, executor, self.meter)
            self._calibrate(backend.identity)
            plan = self._plan(executor, backend.identity)
            estimator = Estimator(backend.tokenizer)
            cuts = check_rows(plan, estimator)
            check_token_cap(plan, self.store)
            self.notes += tuple(
                dict.fromkeys(n for setting in plan.settings for n in setting.notes)
            )
            version = open_version(self.store, plan, self._notes(backend.inserted_system, cuts))
            write_stages(self.store, version, plan)
            self.store.write_lines("failures.jsonl", [])
            digests = {node.digest for cell in plan.cells for node in cell.nodes}
            self.store.check(sorted(digests))
            set_lost_aside(plan, self.store, backend)
            self._count(plan, estimator)
            if self.spending is not None:
                check_budget(plan, self.store, estimator, self.spending)
            self._track(plan, open_until_the_end)
            with self._rates(backend):
                self.job_runner.add(
                    [
                        (stage, task)
                        for setting in plan.settings
                        for stage, tasks in steps(setting)
                        for task in tasks
                    ]
                )
                for setting in plan.settings:
                    self._setting(setting)
                    note(self.store, version, seconds=self._rounded())
        if self.spending is not None and self.spending.spent:
            self.meter.say(f"spent about ${self.spending.spent:.2f} of ${self.spending.budget:g}")
        if self.report:
            with self._stage("report"):
                Study(self.store.folder, version).report()
        note(self.store, version, seconds=self._rounded(), finished=now())
        return Study(self.store.folder, version)

    def _limited(self, worker_context: WorkerContext) -> WorkerContext:
        """The context with a backend that keeps to the budget, where its work has a price."""
        backend = worker_context.backend
        self.spending = self.limit.spending(backend)
        if self.spending is None:
            return worker_context
        return replace(worker_context, given=BudgetedBackend(backend, self.spending))

    def _plan(self, executor: Executor, model: str) -> StudyPlan:
        groups = grouping(self.recipe, executor.capacity)
        return study_plan(self.recipe, self.settings, model, groups)

    def _track(self, plan: StudyPlan, open_until_the_end: ExitStack) -> None:
        """Send curves to the experiment tracker from now on, where there is one."""
        if self.tracking is not None:
            open_until_the_end.callback(self.tracking.close)
            self.tracking.begin(plan)
            self.job_runner.on_finished = self.tracking.catch_up

    @contextmanager
    def _rates(self, backend: Backend) -> Iterator[None]:
        """Start with the rates of earlier runs on this machine, and remember those of this one.

        Rates of a Ray cluster are those of many machines: they are not remembered.
        """
        entry = entry_of(backend)
        self.meter.expected = expected_rates(entry, self.meter.say).by_kind
        try:
            yield
        finally:
            if self.recipe.executor == "local":
                remember(entry, self.meter.measured, self.meter.say)

    def _calibrate(self, model: str) -> None:
        """Find the scale of each warm-up that is to reach a strength."""
        if not to_calibrate(self.recipe):
            return
        self.store.check(self.store.digests())
        with self._stage("calibrating warm-ups"):
            base_model_probe = BaseModelProbe(self.job_runner, model, self.judge_session)
            self.recipe = calibrated(self.recipe, base_model_probe, self.meter.say)
            self.settings = resolve(self.recipe)

    def _setting(self, setting: SettingPlan) -> None:
        """Wait for a setting's tasks, or run them, and then score and report it."""
        for stage, tasks in steps(setting):
            with self._stage(f"{setting.name}: {stage}"):
                self.job_runner.finish(tasks)
        with self._stage(f"{setting.name}: verdicts"):
            heard = self._heard(setting.name)
            for line, reason in score_answers(self.store, setting.lines, self.judge_session, heard):
                self.job_runner.reasons.setdefault(line.verdict, ("verdicts", reason))
        self._collect(setting)
        frame = Study(self.store.folder).leakage()
        self.meter.table(setting.name, frame[frame["setting"] == setting.name])

    def _heard(self, name: str) -> Callable[[int, int], None]:
        """Tells how far the judge is, a tenth at a time."""

        def heard(done: int, of: int) -> None:
            if done * 10 // of > (done - 1) * 10 // of:
                self.meter.stage(f"{name}: verdicts: {done} of {of} from the judge")

        return heard

    def _collect(self, setting: SettingPlan) -> None:
        """Note each cell of the setting that is not complete, once a reason."""
        lines: dict[str, list[Any]] = {}
        for line in setting.lines:
            lines.setdefault(line.cell.name, []).append(line)
        graded: dict[str, list[str]] = {}
        for scored in setting.graded:
            graded.setdefault(scored.cell.name, []).extend((scored.scores, scored.base_scores))
        for cell in setting.cells:
            keys = [node.digest for node in cell.nodes]
            for line in lines.get(cell.name, []):
                keys += [line.answer, line.base_answer, line.verdict]
            keys += graded.get(cell.name, [])
            reasons = self.job_runner.reasons
            failures = dict.fromkeys(reasons[key] for key in keys if key in reasons)
            for stage, reason in failures:
                self.failures.append({"cell": cell.name, "stage": stage, "reason": reason})
                self.meter.say(f"failed: {cell.name}: {stage}: {reason}")
        self.store.write_lines("failures.jsonl", self.failures)

    def _count(self, plan: StudyPlan, estimator: Estimator) -> None:
        """Tell the meter what is ahead."""
        for task in left_tasks(plan.settings, self.store):
            self.meter.costs[task.keys[0]] = (task.kind, estimator.tokens(task))

    def _notes(self, inserted: str | None, cuts: Sequence[str]) -> list[str]:
        notes = [note for resolved in self.settings for note in resolved.notes] + [
            *cuts,
            *self.notes,
        ]
        if inserted:
            own = (
                "the study's own system text replaces it"
                if self.recipe.system
                else "the study has no system text of its own, so every chat has this one"
            )
            notes.append(
                f"the chat template of {self.recipe.model.source} inserts the system prompt "
                f"{inserted!r} where there is none; {own}"
            )
        if self.recipe.backend == "endpoint":
            notes.append(
                "backend endpoint: the arms were trained elsewhere; rows, dose and loss are as the "
                "recipe says, and the service's chat template renders the prompts"
                + ("" if self.recipe.system else ", which may insert a system text of its own")
            )
        if self.recipe.judge is not None and self.judge_session is None:
            notes.append("judge: no question of this study needs a judge; the section is not used")
        for line in notes:
            self.meter.say(line)
        return notes

    @contextmanager
    def _stage(self, label: str) -> Iterator[None]:
        self.meter.stage(label)
        start = time.monotonic()
        yield
        took = time.monotonic() - start
        self.seconds[label] = self.seconds.get(label, 0.0) + took

    def _rounded(self) -> dict[str, float]:
        return {label: round(took, 1) for label, took in self.seconds.items()}
