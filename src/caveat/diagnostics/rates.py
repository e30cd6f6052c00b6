"""Rates of models that something was done to, beside those of the models as they are.

Replies take the random numbers of the study's own replies, so that what does nothing changes
nothing, and differences are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveat.analysis.intervals import Estimates, interval_columns
from caveat.analysis.panel import SETTING_COLUMNS, panels
from caveat.backends.jobs import AdapterRef
from caveat.backends.requests import Request
from caveat.diagnostics.subjects import EXACT, NAMES, NONE, DiagnosedSetting, TrainedModel
from caveat.errors import CaveatError
from caveat.readouts import READOUTS
from caveat.study.planning.digests import answer_key
from caveat.study.planning.prompts import PlannedPrompt
from caveat.study.scoring.verdicts import answer_of
from caveat.types.answers import Answer, Verdict

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    *NAMES, "readout", "scope", "arm", "part", "context", "rate", "rate_low", "rate_high",
    "change", "change_low", "change_high", "questions", "seeds", "by_seed", "example",
)  # fmt: skip
WHOLE = ""
"""The part that is taken from a model that stays as it is."""
CONTEXTS = (NONE, EXACT)
SEPARATOR = " without "


@dataclass(frozen=True)
class Task:
    """One reply of one model, whole or without a part."""

    model: TrainedModel
    part: str
    """What is taken from it."""
    chain: tuple[AdapterRef, ...]
    context: str
    prompt: PlannedPrompt
    sample: int

    @property
    def key(self) -> tuple[str, int]:
        """What a base model's answer belongs to."""
        return self.prompt.question.id, self.sample


def prompts_of(setting: DiagnosedSetting) -> dict[str, list[PlannedPrompt]]:
    """By context, questions whose readout gives a verdict. Raises CaveatError for a judge's."""
    contexts = [context for context in CONTEXTS if context in setting.resolved.contexts]
    prompts = {
        context: [one for one in some if not READOUTS[one.question.readout].numeric]
        for context, some in setting.prompts(contexts).items()
    }
    for prompt in (prompt for some in prompts.values() for prompt in some):
        if READOUTS[prompt.question.readout].needs == "judge":
            raise CaveatError(
                f"{setting.names['label']}: the readout {prompt.question.readout!r} needs a judge, "
                "and models are changed and answer without one; leave this view out"
            )
    return prompts


def tasks_of(
    setting: DiagnosedSetting,
    model: TrainedModel,
    part: str,
    chain: tuple[AdapterRef, ...],
    prompts: Mapping[str, Sequence[PlannedPrompt]],
) -> list[Task]:
    """A model's replies to prompts, as many of each as the study has.

    Contexts in which the study did not ask the arm are left out (`contexts_by_arm`).
    """
    samples = setting.resolved.sampling.samples
    asked = {
        context
        for context, some in prompts.items()
        if any(_key(setting, model.adapters, prompt, 0) in setting.scores for prompt in some)
    }
    return [
        Task(model, part, chain, context, prompt, sample)
        for context, some in prompts.items()
        if context in asked or not asked
        for prompt in some
        for sample in range(1 if prompt.question.options else samples)
    ]


def whole_tasks(
    setting: DiagnosedSetting, prompts: Mapping[str, Sequence[PlannedPrompt]]
) -> list[Task]:
    """The replies of all models with the caveat, and of bare, as they are."""
    return [
        task
        for model in setting.caveated
        for task in tasks_of(setting, model, WHOLE, model.adapters, prompts)
    ]


def own_answers(setting: DiagnosedSetting, tasks: Sequence[Task]) -> list[Answer]:
    """Answers of models as they are: the study's, where it has them."""
    keys = [answer_seed(setting, task) for task in tasks]
    missing = [task for task, key in zip(tasks, keys, strict=True) if key not in setting.scores]
    new = iter(shared_answers(setting, missing))
    return [answer_of(setting.scores[key]) if key in setting.scores else next(new) for key in keys]


def shared_answers(setting: DiagnosedSetting, tasks: Sequence[Task]) -> list[Answer]:
    """`new_answers`, once for settings that are diagnosed together and share a model such as bare.

    The name of a part must say what is done to the model.
    """
    keys = [("answer", answer_seed(setting, task), task.part) for task in tasks]
    new = {key: task for key, task in zip(keys, tasks, strict=True) if key not in setting.shared}
    answers = new_answers(setting, list(new.values()))
    setting.shared.update(zip(new, answers, strict=True))
    return [setting.shared[key] for key in keys]


def changed_rates(
    setting: DiagnosedSetting,
    whole: Sequence[Task],
    changed: Sequence[Task],
    answer: Callable[[DiagnosedSetting, Sequence[Task]], list[Answer]] = shared_answers,
) -> DataFrame:
    """The `rate_table` of models as they are, and of changed ones, which are then discarded."""
    answers = [*own_answers(setting, whole), *answer(setting, changed)]
    setting.backend.discard([task.chain[-1] for task in changed])
    return rate_table(setting, [*whole, *changed], answers)


def new_answers(setting: DiagnosedSetting, tasks: Sequence[Task]) -> list[Answer]:
    """Answers of models with the tasks' adapters, in the backend's present state."""
    return _computed(
        setting,
        [
            Request(
                answer_seed(setting, task),
                task.chain,
                task.prompt.messages,
                task.prompt.question.options,
            )
            for task in tasks
        ],
    )


def _computed(setting: DiagnosedSetting, requests: Sequence[Request[AdapterRef]]) -> list[Answer]:
    """Replies and likelihoods in the order of the requests."""
    sampled = [number for number, request in enumerate(requests) if not request.options]
    scored = [number for number, request in enumerate(requests) if request.options]
    backend, answers = setting.backend, {}
    if sampled:
        replies = backend.generate([requests[n] for n in sampled], setting.resolved.sampling)
        answers |= dict(zip(sampled, replies, strict=True))
    if scored:
        values = backend.log_likelihoods([requests[n] for n in scored])
        answers |= dict(zip(scored, values, strict=True))
    return [answers[number] for number in range(len(requests))]


def answer_seed(setting: DiagnosedSetting, task: Task) -> str:
    """The study's key of the whole model's answer, which seeds the sampling of the task's."""
    return _key(setting, task.model.adapters, task.prompt, task.sample)


def _key(
    setting: DiagnosedSetting, chain: tuple[AdapterRef, ...], prompt: PlannedPrompt, sample: int
) -> str:
    """The study's key of an answer, which seeds its sampling."""
    sampling = setting.resolved.sampling
    model = setting.model_digest(chain)
    return answer_key(model, prompt.messages, prompt.question, sampling, sample)


def rate_table(
    setting: DiagnosedSetting, tasks: Sequence[Task], answers: Sequence[Answer]
) -> DataFrame:
    """One row a readout, arm, part and context, with the columns `COLUMNS`, in the tasks' order.

    `rate` is the share of replies with the verdict yes, `change` by how much it differs from that
    of the arm as it is; both with 95% limits over questions, and seeds where there are three.
    `by_seed` has the rates of the seeds, in order. `example` is the first reply: look whether it
    still is one, as a broken model says no to all.
    """
    import pandas as pd

    base = _base_answers(setting, tasks)
    rows = [
        {
            **{name: setting.names[name] for name in (*SETTING_COLUMNS, "dose")},
            "arm": f"{task.model.arm}{SEPARATOR}{task.part}", "seed": task.model.seed,
            "context": task.context, "question": task.prompt.question.id,
            "cluster": task.prompt.question.cluster, "scope": task.prompt.question.scope,
            "readout": task.prompt.question.readout, "reply": answer.text,
            "yes": float(_verdict(task.prompt, answer, base.get(task.key)) == Verdict.YES),
        }
        for task, answer in zip(tasks, answers, strict=True)
    ]  # fmt: skip
    table = pd.DataFrame(_rows(setting, pd.DataFrame(rows)), columns=[*COLUMNS])
    order = list(dict.fromkeys(task.part for task in tasks))
    return table.sort_values(
        ["readout", "arm", "part", "context"],
        key=lambda column: column.map(order.index) if column.name == "part" else column,
        ignore_index=True,
    )


def _base_answers(
    setting: DiagnosedSetting, tasks: Sequence[Task]
) -> dict[tuple[str, int], Answer]:
    """The base model's answers at `none`, of questions whose readout compares with them."""
    prompts = {prompt.question.id: prompt for prompt in setting.prompts(["none"])["none"]}
    keys = [
        key
        for key in dict.fromkeys(task.key for task in tasks)
        if READOUTS[prompts[key[0]].question.readout].uses_base
    ]
    requests = [
        Request(
            _key(setting, setting.base, prompts[question], sample),
            setting.base,
            prompts[question].messages,
            prompts[question].question.options,
        )
        for question, sample in keys
    ]
    return dict(zip(keys, _computed(setting, requests), strict=True))


def _verdict(prompt: PlannedPrompt, answer: Answer, base: Answer | None) -> Verdict:
    readout = READOUTS[prompt.question.readout]
    return readout.score(prompt.question, answer, base if readout.uses_base else None).verdict


def _rows(setting: DiagnosedSetting, answers: DataFrame) -> Iterator[dict]:
    named = ["readout", "scope", "arm", "context"]
    seeds = answers.groupby([*named, "seed"])["yes"].mean().map("{:.2f}".format)
    by_seed = seeds.groupby(level=named).agg(", ".join)
    examples = answers.drop_duplicates(named).set_index(named)["reply"]
    for panel in panels(answers, answers["yes"]):
        estimates = Estimates.of(panel)
        low, high = estimates.rate_intervals()
        for index, cell in enumerate(panel.cells):
            arm, _, part = cell.arm.partition(SEPARATOR)
            place = panel.names["readout"], panel.names["scope"], cell.arm, cell.context
            whole = panel.find(f"{arm}{SEPARATOR}{WHOLE}", cell.context)
            change = (float("nan"),) * 3
            if part != WHOLE and whole is not None:
                change = estimates.interval(estimates.weights((1, index), (-1, whole)))
            yield {
                **setting.names, "readout": panel.names["readout"],
                "scope": panel.names["scope"], "arm": arm, "part": part, "context": cell.context,
                **interval_columns("rate", (panel.mean[index], low[index], high[index])),
                **interval_columns("change", change),
                "questions": panel.cell_questions[index], "seeds": panel.cell_seeds[index],
                "by_seed": by_seed[place], "example": examples[place],
            }  # fmt: skip
