"""What do models reply where keys and values of a span of the prompt are another model's?

`patching` measures the log-probability of given tokens; this samples replies and takes their rate,
which is what models do. Each arm answers with the span of the base model, and the base model with
the span of the arm. Replies take the random numbers of the study's own, so that a patch which
changes nothing changes no reply.

Spans are those of `patching`. In front of a reply the whole prompt is `all before`. `other text`
is the control of `caveat`: as many tokens, which are no caveat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from caveat.backends.jobs import AdapterRef
from caveat.backends.requests import ReplyPatchRequest
from caveat.diagnostics.patching import spans_before
from caveat.diagnostics.rates import (
    Task,
    answer_seed,
    own_answers,
    prompts_of,
    rate_table,
    tasks_of,
)
from caveat.diagnostics.subjects import BASE, DiagnosedSetting, TrainedModel
from caveat.errors import CaveatError
from caveat.rendering import render_prompt
from caveat.study.planning.prompts import PlannedPrompt

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class PatchedTask:
    """One reply whose prompt has a span of another model."""

    task: Task
    donor: tuple[AdapterRef, ...]
    positions: tuple[int, ...]


def patched_replies(setting: DiagnosedSetting) -> DataFrame:
    """One row a readout, arm, part and context: see `rates.rate_table`.

    `arm` is the receiver: an arm with the caveat, bare, or base, for every seed of the arm that
    gives. `part` is the span and whose keys and values it has, such as `caveat of base`.

    Raises CaveatError for a readout that needs a judge, a setting without sampled replies, and a
    model without the modules `k_proj` and `v_proj`.
    """
    prompts = sampled_prompts(setting)
    whole = [
        task
        for receiver in receivers(setting)
        for task in tasks_of(setting, receiver, "", receiver.adapters, prompts)
    ]
    patched = list(patched_tasks(setting, prompts))
    requests = [
        ReplyPatchRequest(
            answer_seed(setting, one.task),
            one.task.chain,
            one.task.prompt.messages,
            donor=one.donor,
            positions=one.positions,
        )
        for one in patched
    ]
    replies = setting.backend.patched_replies(requests, setting.resolved.sampling)
    answers = [*own_answers(setting, whole), *replies]
    return rate_table(setting, [*whole, *(one.task for one in patched)], answers)


def receivers(setting: DiagnosedSetting) -> list[TrainedModel]:
    """The arms with the caveat, bare, and base once for every seed of these."""
    seeds = dict.fromkeys(model.seed for model in setting.caveated)
    return [*setting.caveated, *(TrainedModel(BASE, seed, setting.base) for seed in seeds)]


def sampled_prompts(setting: DiagnosedSetting) -> dict[str, list[PlannedPrompt]]:
    """By context, questions that are answered in text. Raises CaveatError where there are none."""
    prompts = {
        context: [one for one in some if not one.question.options]
        for context, some in prompts_of(setting).items()
    }
    if not any(prompts.values()):
        raise CaveatError(
            f"{setting.names['label']}: its questions are scored by the likelihood of options, and "
            "no reply is sampled; take the view patching"
        )
    return prompts


def patched_tasks(
    setting: DiagnosedSetting, prompts: Mapping[str, Sequence[PlannedPrompt]]
) -> Iterator[PatchedTask]:
    """Every span, of base in each arm and of each arm in base."""
    spans = {
        (context, prompt.question.id): _spans(setting, prompt)
        for context, some in prompts.items()
        for prompt in some
    }
    for model in setting.caveated:
        base = replace(model, arm=BASE, adapters=setting.base)
        for receiver, donor in ((model, base), (base, model)):
            for task in tasks_of(setting, receiver, "", receiver.adapters, prompts):
                for span, positions in spans[task.context, task.prompt.question.id].items():
                    named = replace(task, part=f"{span} of {donor.arm}")
                    yield PatchedTask(named, donor.adapters, positions)


def _spans(setting: DiagnosedSetting, prompt: PlannedPrompt) -> dict[str, tuple[int, ...]]:
    rendered = render_prompt(setting.backend.tokenizer, prompt.messages)
    return spans_before(rendered, len(rendered.ids))
