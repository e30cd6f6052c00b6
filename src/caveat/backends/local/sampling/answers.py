"""Answers: replies and log-likelihoods of many models in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from caveat.backends.batches import Example
from caveat.backends.callbacks import OnToken
from caveat.backends.jobs import AdapterRef
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import Route, stack_chains, stacked
from caveat.backends.local.models.device_memory import TOKEN_BUDGET
from caveat.backends.local.models.frozen_layer_cache import lowest_layer
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import Batch
from caveat.backends.local.models.reader import Reader
from caveat.backends.local.sampling.decoding import Prompt
from caveat.backends.local.sampling.generate import (
    Ordered,
    by_cell_and_tokens,
    halving,
    in_batches,
    sample_replies,
)
from caveat.backends.requests import Request, StateRequest, TokenRequest
from caveat.progress import Progress
from caveat.rendering import continuation, prompt_ids
from caveat.types.answers import Answer, Sampling

SomeText = TypeVar("SomeText", bound=Ordered)
Result = TypeVar("Result")


def answer(
    language_model: LanguageModel,
    adapters: Mapping[AdapterRef, Adapter],
    requests: Sequence[Request[AdapterRef]],
    sampling: Sampling,
    progress: Progress,
    on_token: OnToken | None = None,
) -> list[Answer]:
    """Answers in the order of the requests: those with options are scored, the others sampled.

    Prompts are sorted by cell and tokens, so that common prefixes are computed once. Where memory
    runs out, the requests are split in two.

    Args:
        adapters: Every adapter that a request names.

    Raises CaveatError for a prompt without tokens.
    """
    chains = chains_of(requests)
    prompts = [
        Prompt(
            request.key,
            chains.index(request.adapters),
            prompt_ids(language_model.tokenizer, request.messages, request.key),
            tuple(continuation(language_model.tokenizer, option) for option in request.options),
        )
        for request in requests
    ]
    stacks = stack_chains(
        [[adapters[name] for name in chain] for chain in chains],
        language_model.device,
        language_model.model.dtype,
    )
    reader = language_model.reader(lowest_layer(language_model.model, stacks))
    order = by_cell_and_tokens(prompts)
    sampled = [i for i in order if not prompts[i].options]
    scored = [i for i in order if prompts[i].options]
    with stacked(language_model.model, stacks) as route:
        replies = in_batches(
            lambda batch: sample_replies(
                language_model, batch, sampling, route, progress, on_token
            ),
            [prompts[i] for i in sampled],
            language_model,
            progress,
        )
        scores = halving(
            lambda batch: score(reader, batch, route, progress),
            [prompts[i] for i in scored],
            language_model,
            progress,
        )
    answers = dict(zip((*sampled, *scored), (*replies, *scores), strict=True))
    return [answers[i] for i in range(len(prompts))]


def read_texts(
    language_model: LanguageModel,
    chains: Sequence[Sequence[Adapter]],
    texts: Sequence[SomeText],
    read: Callable[[list[SomeText], Reader, Route], list[Result]],
    progress: Progress,
) -> list[Result]:
    """What some reading of texts by many models gives, in the order of the texts.

    Texts are sorted by cell and tokens, so that common prefixes are computed once. Where memory
    runs out, they are split in two.

    Args:
        chains: Of each cell, its adapters.
        read: Gives one result a text, in their order.
    """
    stacks = stack_chains(chains, language_model.device, language_model.model.dtype)
    reader = language_model.reader(lowest_layer(language_model.model, stacks))
    order = by_cell_and_tokens(texts)
    with stacked(language_model.model, stacks) as route:
        results = halving(
            lambda batch: read(batch, reader, route),
            [texts[i] for i in order],
            language_model,
            progress,
        )
    by_position = dict(zip(order, results, strict=True))
    return [by_position[i] for i in range(len(texts))]


def chains_of(
    requests: Sequence[Request[AdapterRef] | TokenRequest[AdapterRef] | StateRequest[AdapterRef]],
) -> list[tuple[AdapterRef, ...]]:
    """The models that requests name, sorted."""
    return sorted({request.adapters for request in requests}, key=lambda one: tuple(map(str, one)))


@dataclass(frozen=True, slots=True)
class _ScoredText:
    """A request for single tokens made ready."""

    cell: int
    ids: tuple[int, ...]
    targets: tuple[int, ...]


def token_scores(
    language_model: LanguageModel,
    adapters: Mapping[AdapterRef, Adapter],
    requests: Sequence[TokenRequest[AdapterRef]],
    progress: Progress,
) -> list[tuple[float, ...]]:
    """Log-likelihoods of single tokens, in nats, in the order of the requests and their targets.

    Args:
        adapters: Every adapter that a request names.
    """
    chains = chains_of(requests)
    texts = [
        _ScoredText(chains.index(request.adapters), request.ids, request.targets)
        for request in requests
    ]
    return read_texts(
        language_model,
        [[adapters[name] for name in chain] for chain in chains],
        texts,
        lambda batch, reader, route: _token_scores(reader, batch, route, progress),
        progress,
    )


@torch.inference_mode()
def _token_scores(
    reader: Reader, texts: Sequence[_ScoredText], route: Route, progress: Progress
) -> list[tuple[float, ...]]:
    # what follows the last target changes nothing, so it is not read
    examples = [
        Example(text.cell, text.ids[: max(text.targets, default=0) + 1], text.targets, tag=tag)
        for tag, text in enumerate(texts)
    ]
    scores: list[tuple[float, ...]] = [()] * len(examples)
    for batch in reader.batches(examples, 2 * TOKEN_BUDGET):
        losses, _ = reader.weighted_losses(batch, route)
        values = iter((-losses).tolist())
        for example in batch.examples:
            scores[example.tag] = tuple(next(values) for _ in example.targets)
        progress.advance("score", sum(len(example.ids) for example in batch.examples))
    return scores


@torch.inference_mode()
def score(
    reader: Reader, prompts: Sequence[Prompt], route: Route, progress: Progress
) -> list[Answer]:
    """Per prompt, the log-likelihood of each option after it: nats, summed over its tokens."""
    examples = [
        Example(
            prompt.cell,
            prompt.ids + option,
            tuple(range(len(prompt.ids), len(prompt.ids) + len(option))),
            tag=tag,
        )
        for tag, (prompt, option) in enumerate(
            (prompt, option) for prompt in prompts for option in prompt.options
        )
    ]
    # a prompt counts once, with its first option: the others share what was read of it
    tokens = [
        len(option) + (0 if number else len(prompt.ids))
        for prompt in prompts
        for number, option in enumerate(prompt.options)
    ]
    sums = [0.0] * len(examples)
    for batch in reader.batches(examples, 2 * TOKEN_BUDGET):
        for example, value in zip(batch.examples, _sums(reader, batch, route), strict=True):
            sums[example.tag] = value
        progress.advance("score", sum(tokens[example.tag] for example in batch.examples))
    values = iter(sums)
    return [
        Answer(
            log_likelihoods=tuple(next(values) for _ in prompt.options),
            option_tokens=tuple(len(option) for option in prompt.options),
        )
        for prompt in prompts
    ]


def _sums(reader: Reader, batch: Batch, route: Route) -> list[float]:
    """Each example's log-likelihood, in the order of the batch."""
    losses, examples = reader.weighted_losses(batch, route)
    return (-losses.new_zeros(len(batch.examples)).index_add(0, examples, losses)).tolist()
