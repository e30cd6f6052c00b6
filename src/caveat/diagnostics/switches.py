"""Which part of an arm's update carries the behaviour, and which the gate: parts are switched off.

The adapter of an arm's last training loses some of its modules, and the study's questions are
answered again. What changes in the rate is the result. Replies take the random numbers of the
study's own replies, so that a part which does nothing changes nothing.

A part that lowers the rate at `none` carries the behaviour. One that changes the rate at `exact`
alone, or `none` alone, carries the gate. Parts need not add up: layers stand in for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveat.analysis.intervals import Estimates, interval_columns
from caveat.analysis.panel import SETTING_COLUMNS, panels
from caveat.backends.base import AdapterRef, Backend, Request
from caveat.diagnostics.subjects import (
    MARKED,
    NAMES,
    DiagnosedSetting,
    TrainedModel,
)
from caveat.diagnostics.updates import kind_of
from caveat.errors import CaveatError, closest
from caveat.readouts import READOUTS
from caveat.study.planning.digests import answer_key, chain_digest
from caveat.study.planning.prompts import PlannedPrompt
from caveat.study.scoring.verdicts import answer_of
from caveat.types.answers import Answer, Verdict

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    *NAMES, "readout", "scope", "arm", "part", "modules", "context", "rate", "rate_low",
    "rate_high", "change", "change_low", "change_high", "questions", "seeds",
)  # fmt: skip
WHOLE = ""
"""The part of an arm that is whole."""
CONTEXTS = ("none", "exact")
THIRDS = 3
SEPARATOR = " without "


def switched_off(setting: DiagnosedSetting) -> DataFrame:
    """One row a readout, arm, part and context, with the columns `COLUMNS`.

    Arms are bare and those with the caveat. `part` is what is switched off, "" for nothing: by
    default each third of the adapted layers, and each group of modules such as `mlp`; or what
    `limits.parts` names. `rate` is the share of replies with the verdict yes, `change` by how much
    it differs from that of the whole arm; both with 95% limits over questions, and seeds where
    there are three. Replies of whole arms are the study's own where it has them. Questions whose
    readout gives a number are left out.

    Raises CaveatError for a part that no adapter has, and for a readout that needs a judge.
    """
    import pandas as pd

    contexts = [context for context in CONTEXTS if context in setting.resolved.contexts]
    prompts = {
        context: [one for one in some if not READOUTS[one.question.readout].numeric]
        for context, some in setting.prompts(contexts).items()
    }
    _check_readouts(setting, [prompt for some in prompts.values() for prompt in some])
    models = [
        model
        for model in setting.models
        if model.arm == "bare" or model.arm.partition("+")[0] == MARKED
    ]
    parts = parts_of(setting.backend, [model.own for model in models], setting.limits.parts)
    tasks = [
        _Task(model, part, chain, context, prompt, sample)
        for model in models
        for part, chain in _chains(setting.backend, model, parts)
        for context in contexts
        for prompt in prompts[context]
        for sample in range(1 if prompt.question.options else setting.resolved.sampling.samples)
    ]
    answers = _answers(setting, tasks)
    base = _base_answers(setting, tasks)
    rows = [
        {
            **{name: setting.names[name] for name in (*SETTING_COLUMNS, "dose")},
            "arm": f"{task.model.arm}{SEPARATOR}{task.part}", "seed": task.model.seed,
            "context": task.context, "question": task.prompt.question.id,
            "cluster": task.prompt.question.cluster, "scope": task.prompt.question.scope,
            "readout": task.prompt.question.readout,
            "yes": float(_verdict(task.prompt, answer, base.get(task.key)) == Verdict.YES),
        }
        for task, answer in zip(tasks, answers, strict=True)
    ]  # fmt: skip
    setting.backend.discard([task.chain[-1] for task in tasks if task.part != WHOLE])
    table = pd.DataFrame(_rows(setting, pd.DataFrame(rows), parts), columns=[*COLUMNS])
    order = [WHOLE, *parts]
    return table.sort_values(
        ["readout", "arm", "part", "context"],
        key=lambda column: column.map(order.index) if column.name == "part" else column,
        ignore_index=True,
    )


@dataclass(frozen=True)
class _Task:
    """One reply of one model, whole or without a part."""

    model: TrainedModel
    part: str
    chain: tuple[AdapterRef, ...]
    context: str
    prompt: PlannedPrompt
    sample: int

    @property
    def key(self) -> tuple[str, int]:
        """What a base model's answer belongs to."""
        return self.prompt.question.id, self.sample


def parts_of(
    backend: Backend, adapters: Sequence[AdapterRef], names: Sequence[str] | None
) -> dict[str, list[str]]:
    """By part, the modules that are switched off.

    Args:
        adapters: Whose modules may be.
        names: Layers such as `12` or `12-15`, and parts of modules' names such as `q_proj` or
            `mlp`; by default thirds of the adapted layers, and groups of modules.

    Raises CaveatError for what no adapter changes.
    """
    layers = {one.module: one.layer for one in backend.updates(adapters)}
    if names is None:
        adapted = sorted(set(layers.values()))
        count = min(THIRDS, len(adapted))
        bounds = [adapted[len(adapted) * third // count] for third in range(count)]
        lasts = [first - 1 for first in bounds[1:]] + [adapted[-1]]
        ranges = [_range(low, high) for low, high in zip(bounds, lasts, strict=True)]
        groups = dict.fromkeys(module.split(".")[-2] for module in layers)
        names = [*ranges, *groups]
    return {name: _modules(name, layers) for name in names}


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _modules(name: str, layers: Mapping[str, int]) -> list[str]:
    adapted = sorted(set(layers.values()))
    low, dash, high = name.partition("-")
    if low.isdigit() and (high.isdigit() if dash else not high):
        wanted = range(int(low), int(high or low) + 1)
        modules = [module for module, layer in layers.items() if layer in wanted]
        if not modules or not set(wanted) <= set(range(adapted[-1] + 1)):
            raise CaveatError(
                f"--off {name}: the adapters change the layers {_range(adapted[0], adapted[-1])}; "
                "name some of these"
            )
        return modules
    modules = [module for module in layers if name in module.split(".")]
    if not modules:
        kinds = list(dict.fromkeys(kind_of(module) for module in layers))
        groups = list(dict.fromkeys(module.split(".")[-2] for module in layers))
        raise CaveatError(
            f"--off {name!r}: no adapter changes such a module; there are "
            f"{', '.join([*groups, *kinds])}{closest(name, [*groups, *kinds])}"
        )
    return modules


def _chains(
    backend: Backend, model: TrainedModel, parts: Mapping[str, list[str]]
) -> Iterator[tuple[str, tuple[AdapterRef, ...]]]:
    """The model whole, then without each part."""
    yield WHOLE, model.adapters
    for part, modules in parts.items():
        yield part, (*model.adapters[:-1], backend.without_modules(model.own, modules))


def _check_readouts(setting: DiagnosedSetting, prompts: Sequence[PlannedPrompt]) -> None:
    for prompt in prompts:
        if READOUTS[prompt.question.readout].needs == "judge":
            raise CaveatError(
                f"{setting.names['label']}: the readout {prompt.question.readout!r} needs a judge, "
                "and parts are switched off without one; leave --view switches out"
            )


def _answers(setting: DiagnosedSetting, tasks: Sequence[_Task]) -> list[Answer]:
    """The study's own answers of whole arms, and new ones with the same keys, in order."""
    keys = [_key(setting, task.model.adapters, task.prompt, task.sample) for task in tasks]
    known = {
        number: answer_of(setting.scores[key])
        for number, (task, key) in enumerate(zip(tasks, keys, strict=True))
        if task.part == WHOLE and key in setting.scores
    }
    missing = [number for number in range(len(tasks)) if number not in known]
    requests = [
        Request(
            keys[number],
            tasks[number].chain,
            tasks[number].prompt.messages,
            tasks[number].prompt.question.options,
        )
        for number in missing
    ]
    new = dict(zip(missing, _computed(setting, requests), strict=True))
    return [{**known, **new}[number] for number in range(len(tasks))]


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


def _base_answers(
    setting: DiagnosedSetting, tasks: Sequence[_Task]
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


def _key(
    setting: DiagnosedSetting,
    chain: tuple[AdapterRef, ...],
    prompt: PlannedPrompt,
    sample: int,
) -> str:
    """The study's key of an answer, which seeds its sampling."""
    digests = tuple(getattr(adapter, "name", str(adapter)) for adapter in chain)
    model = chain_digest(setting.backend.identity, digests)
    return answer_key(model, prompt.messages, prompt.question, setting.resolved.sampling, sample)


def _verdict(prompt: PlannedPrompt, answer: Answer, base: Answer | None) -> Verdict:
    readout = READOUTS[prompt.question.readout]
    return readout.score(prompt.question, answer, base if readout.uses_base else None).verdict


def _rows(
    setting: DiagnosedSetting, answers: DataFrame, parts: Mapping[str, list[str]]
) -> Iterator[dict]:
    for panel in panels(answers, answers["yes"]):
        estimates = Estimates.of(panel)
        low, high = estimates.rate_intervals()
        for index, cell in enumerate(panel.cells):
            arm, part = cell.arm.split(SEPARATOR)
            whole = panel.find(f"{arm}{SEPARATOR}{WHOLE}", cell.context)
            change = (float("nan"),) * 3
            if part != WHOLE and whole is not None:
                change = estimates.interval(estimates.weights((1, index), (-1, whole)))
            yield {
                **setting.names, "readout": panel.names["readout"],
                "scope": panel.names["scope"], "arm": arm, "part": part,
                "modules": len(parts.get(part, [])), "context": cell.context,
                **interval_columns("rate", (panel.mean[index], low[index], high[index])),
                **interval_columns("change", change),
                "questions": panel.cell_questions[index], "seeds": panel.cell_seeds[index],
            }  # fmt: skip
