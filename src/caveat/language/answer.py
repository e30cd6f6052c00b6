"""Answers: replies and likelihoods of many cells in one pass, and the retreat when memory ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from caveat.domain.reply import Answer, Sampling
from caveat.errors import CaveatError
from caveat.language.adapter import Adapter
from caveat.language.halves import lowest_layer
from caveat.language.likelihood import score
from caveat.language.lockstep import stack_chains, stacked
from caveat.language.memory import is_out_of_memory, release
from caveat.language.render import continuation, render_prompt
from caveat.language.requests import Prompt, Request
from caveat.language.sample import reply
from caveat.language.source import LanguageModel
from caveat.language.trunk import Trunk
from caveat.progress import Progress


def answer(
    language_model: LanguageModel,
    adapters: Mapping[str, Adapter],
    requests: Sequence[Request],
    sampling: Sampling,
    progress: Progress,
) -> list[Answer]:
    """Answers in the order of the requests.

    Prompts are sorted by cell and tokens, so that common beginnings are computed once. Where memory
    runs out, the requests are split in two.

    Args:
        adapters: Every adapter that a request names.
    """
    chains = sorted({request.adapters for request in requests})
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
    order = sorted(range(len(prompts)), key=lambda i: (prompts[i].cell, prompts[i].ids, i))
    stacks = stack_chains(
        [[adapters[name] for name in chain] for chain in chains], language_model.device
    )
    trunk = language_model.trunk
    reader = trunk.reader(lowest_layer(language_model.model, stacks))
    answers: dict[int, Answer] = {}
    with stacked(language_model.model, stacks) as route:

        def drawn(some: list[int]) -> list[Answer]:
            found: dict[int, Answer] = {}
            for alike in _of_like_length(some, prompts):
                chosen = [prompts[i] for i in alike]
                replies = reply(language_model, chosen, sampling, route, progress)
                found |= zip(alike, replies, strict=True)
            return [found[i] for i in some]

        def scored(some: list[int]) -> list[Answer]:
            return score(reader, [prompts[i] for i in some], route, progress)

        for compute, wanted in ((drawn, False), (scored, True)):
            some = [i for i in order if bool(prompts[i].options) is wanted]
            answers |= zip(some, _retreating(compute, some, trunk, progress), strict=True)
    return [answers[i] for i in range(len(prompts))]


def _of_like_length(some: list[int], prompts: Sequence[Prompt]) -> list[list[int]]:
    """The prompts in parts, in their order, none of which is twice as long as another of its part.

    Prompts read together are padded to the longest: a few long ones would make all of them long.
    """
    parts: list[list[int]] = []
    shortest = 0
    for i in sorted(some, key=lambda i: len(prompts[i].ids)):
        if not parts or len(prompts[i].ids) >= 2 * shortest:
            parts.append([])
            shortest = len(prompts[i].ids)
        parts[-1].append(i)
    return [[i for i in some if i in part] for part in map(set, parts)]


def _retreating(
    compute: Callable[[list[int]], list[Answer]], some: list[int], trunk: Trunk, progress: Progress
) -> list[Answer]:
    """Compute all at once, or, where memory runs out, half and half."""
    if not some:
        return []
    try:
        return compute(some)
    except Exception as error:
        if not is_out_of_memory(error) or len(some) == 1:
            raise
    trunk.give_way()
    release()
    progress.say(f"out of memory at {len(some)} prompts: going on with {len(some) // 2}")
    half = len(some) // 2
    return _retreating(compute, some[:half], trunk, progress) + _retreating(
        compute, some[half:], trunk, progress
    )
