"""What base models do before any arm is trained: prompted with the caveat and without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean

from caveat.errors import CaveatError
from caveat.study.config.resolve import Resolved, resolve_setting
from caveat.study.config.schema import Recipe, SettingRecipe
from caveat.study.execution.executors import JobRunner
from caveat.study.execution.tasks import steps
from caveat.study.planning.study_plan import SettingPlan, study_plan
from caveat.study.scoring.judge_session import JudgeSession
from caveat.study.scoring.verdicts import score_answers
from caveat.types.caveats import Setting

BASE = ("base", None)
CONTEXTS = ("none", "exact")


@dataclass(frozen=True)
class BaseModelProbe:
    """Measures base models on tuning questions, whose answers are not reported.

    Answers that lie in the study's folder are used again.
    """

    job_runner: JobRunner
    model: str
    """The language model's identity."""
    judge_session: JudgeSession | None = None

    def elicitation(self, recipe: Recipe, setting: SettingRecipe) -> float:
        """R(base, exact) - R(base, none), in [-1, 1], of one of the recipe's settings.

        The base model of a setting with a warm-up is made first. The rates are those of the readout
        that most questions of scope `trained` have. Raises CaveatError where a base model could not
        be made, or did not answer.
        """
        tuning = _tuning(recipe)
        resolved = resolve_setting(tuning, setting)
        return self._elicitation(tuning, resolved, resolved.setting)

    def after_warm_up(self, recipe: Recipe, setting: SettingRecipe) -> float:
        """The mean elicitation of the pairs that a setting's warm-up trains on.

        Raises CaveatError as `elicitation` does.
        """
        tuning = _tuning(recipe)
        resolved = resolve_setting(tuning, setting)
        return fmean(
            self._elicitation(tuning, resolved, pair) for pair in resolved.warm_up_settings
        )

    def before_warm_up(self, recipe: Recipe, setting: SettingRecipe) -> float:
        """The same of the model without the warm-up."""
        tuning = _tuning(recipe)
        resolved = replace(resolve_setting(tuning, setting), base=())
        return fmean(
            self._elicitation(tuning, resolved, pair) for pair in resolved.warm_up_settings
        )

    def _elicitation(self, tuning: Recipe, resolved: Resolved, setting: Setting) -> float:
        plan = study_plan(tuning, (_base_only(resolved, setting),), self.model).settings[0]
        for stage, tasks in steps(plan):
            self.job_runner.do(tasks, f"{plan.name}: base model: {stage}")
        score_answers(self.job_runner.store, plan.lines, self.judge_session)
        return _difference(plan, self._verdicts(plan))

    def _verdicts(self, plan: SettingPlan) -> dict[str, str]:
        """Verdicts by their keys. Raises CaveatError where one is missing."""
        store = self.job_runner.store
        missing = [line for line in plan.lines if line.verdict not in store.verdicts]
        if missing:
            keys = [node.digest for cell in plan.cells for node in cell.nodes]
            keys += [line.answer for line in missing]
            reasons = (self.job_runner.reasons.get(key, ("", ""))[1] for key in keys)
            why = next(filter(None, reasons), "no verdict")
            raise CaveatError(
                f"{plan.name}: the base model gave no answer: {why}; run the recipe again"
            )
        return {line.verdict: store.verdicts[line.verdict]["verdict"] for line in plan.lines}


def _tuning(recipe: Recipe) -> Recipe:
    """The recipe on tuning questions, each answered as often as trained arms answer.

    More replies would move the scales of warm-ups that were found before, and with them all that
    is trained on these.
    """
    changes = {"split": "tune", "comprehension": False, "arms": ("base",)}
    return recipe.model_copy(update={**changes, "base_samples": 1, "decision_tokens": False})


def _base_only(resolved: Resolved, setting: Setting) -> Resolved:
    """The setting's base model alone, prompted with a setting's questions in two contexts."""
    behaviour = replace(setting.behaviour, side_effects=())
    return replace(
        resolved,
        setting=replace(setting, behaviour=behaviour),
        contexts=CONTEXTS,
        plans={BASE: resolved.base},
    )


def _difference(plan: SettingPlan, verdicts: dict[str, str]) -> float:
    clusters: dict[str, set[str]] = {}
    verdicts_by_cell: dict[tuple[str, str], list[bool]] = {}
    for line in plan.lines:
        question = line.question
        if question.scope == "trained":
            clusters.setdefault(question.readout, set()).add(question.cluster)
            rates = verdicts_by_cell.setdefault((question.readout, line.prompt.context), [])
            rates.append(verdicts[line.verdict] == "yes")
    readout = min(clusters, key=lambda name: (-len(clusters[name]), name))
    with_caveat, without = (verdicts_by_cell[readout, context] for context in ("exact", "none"))
    return sum(with_caveat) / len(with_caveat) - sum(without) / len(without)
