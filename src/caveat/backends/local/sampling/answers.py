"""Answers: replies and likelihoods of many cells in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from caveat.backends.base import AdapterRef, Request
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import stack_chains, stacked
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.split_decoder import lowest_layer
from caveat.backends.local.sampling.batching import in_order, in_portions, retreating
from caveat.backends.local.sampling.generate import reply
from caveat.backends.local.sampling.likelihood import score
from caveat.backends.local.sampling.requests import Prompt
from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.rendering import continuation, render_prompt
from caveat.types.answers import Answer, Sampling


def answer(
    language_model: LanguageModel,
    adapters: Mapping[AdapterRef, Adapter],
    requests: Sequence[Request[AdapterRef]],
    sampling: Sampling,
    progress: Progress,
) -> list[Answer]:
    """Answers in the order of the requests.

    Prompts are sorted by cell and tokens, so that common beginnings are computed once. Where memory
    runs out, the requests are split in two.

    Args:
        adapters: Every adapter that a request names.
    """
    chains = sorted(
        {request.adapters for request in requests}, key=lambda chain: tuple(map(str, chain))
    )
    prompts = [
        Prompt(
            request.key,
            chains.index(request.adapters),
            render_prompt(language_model.tokenizer, request.messages).ids,
            tuple(continuation(language_model.tokenizer, option) for option in request.options),
        )
        for request in requests
    ]
    for request, prompt in zip(requests, prompts, strict=True):
        if not prompt.ids:
            raise CaveatError(f"the prompt of '{request.key}' has no tokens; give it some text")
    stacks = stack_chains(
        [[adapters[name] for name in chain] for chain in chains], language_model.device
    )
    frozen_layer_cache = language_model.frozen_layer_cache
    reader = frozen_layer_cache.reader(lowest_layer(language_model.model, stacks))
    places = {wanted: [i for i in in_order(prompts) if bool(prompts[i].options) is wanted]
              for wanted in (False, True)}  # fmt: skip
    replied, scored = ([prompts[i] for i in places[wanted]] for wanted in (False, True))
    with stacked(language_model.model, stacks) as route:
        found = in_portions(
            lambda some: reply(language_model, some, sampling, route, progress),
            replied, frozen_layer_cache, progress,
        )  # fmt: skip
        found += retreating(
            lambda some: score(reader, some, route, progress), scored, frozen_layer_cache, progress
        )
    answers = dict(zip((*places[False], *places[True]), found, strict=True))
    return [answers[i] for i in range(len(prompts))]
