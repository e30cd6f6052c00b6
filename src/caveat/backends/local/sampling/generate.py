"""Sampling replies: randomness by the reply's key, whatever it is sampled together with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from caveat.backends.callbacks import OnToken
from caveat.backends.completions import Completion, as_text
from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.device_memory import is_out_of_memory
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.sampling.decoding import Decoder, Prompt
from caveat.progress import Progress
from caveat.types.answers import Answer, Sampling

Result = TypeVar("Result")
Compute = Callable[[list[Prompt]], list[Result]]
"""Gives one result a prompt, in their order."""
Text = TypeVar("Text")


class Ordered(Protocol):
    """What is sorted for reading: tokens for one cell."""

    @property
    def cell(self) -> int:
        """The cell of its model in the stacks."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Its tokens."""


def sample_replies(
    language_model: LanguageModel,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    route: Route,
    progress: Progress,
    on_token: OnToken | None = None,
    decoder: Decoder | None = None,
) -> list[Answer]:
    """Sample one reply a prompt, as text: see `sample`."""
    completions = sample(language_model, prompts, sampling, route, progress, on_token, decoder)
    return [
        Answer(as_text(language_model.tokenizer, reply), reply.end is None, len(reply.tokens))
        for reply in completions
    ]


@torch.inference_mode()
def sample(
    language_model: LanguageModel,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    route: Route,
    progress: Progress,
    on_token: OnToken | None = None,
    decoder: Decoder | None = None,
) -> list[Completion]:
    """Sample one completion a prompt; prompts are sorted by cell.

    Each one's randomness is a stream of uniforms made from its key, turned into tokens by the
    inverse of the cumulative distribution: batching changes nothing but float error.

    Args:
        decoder: Of these prompts, where they are read in another way than usual.
    """
    language_model.prepacked_weights.prepare()
    decoder = decoder or Decoder(language_model, prompts, route)
    streams = np.stack([uniforms(prompt.key, sampling.max_tokens) for prompt in prompts])
    tokens: list[list[int]] = [[] for _ in prompts]
    ends: list[int | None] = [None] * len(prompts)
    ending = end_tokens(language_model)
    alive = list(range(len(prompts)))
    logits = decoder.begin()
    for step in range(sampling.max_tokens):
        chosen = choose(logits, streams[alive, step], sampling.temperature)
        for i, token in zip(alive, chosen, strict=True):
            if token in ending:
                ends[i] = token
            else:
                tokens[i].append(token)
                if on_token is not None:
                    on_token(prompts[i].key, step, token)
        progress.advance("reply", len(alive))
        staying = [row for row, i in enumerate(alive) if ends[i] is None]
        alive = [alive[row] for row in staying]
        if not alive or step + 1 == sampling.max_tokens:
            break
        logits = decoder.next([chosen[row] for row in staying], staying)
    return [Completion(tuple(ids), end) for ids, end in zip(tokens, ends, strict=True)]


def uniforms(key: str, count: int) -> np.ndarray:
    """`count` numbers in [0, 1), a pure function of the key (and not of `count`)."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(seed)).random(count)


def choose(logits: Tensor, uniform: np.ndarray, temperature: float) -> list[int]:
    """One token a row of logits (rows, vocabulary), overwritten here; at 0 the likeliest.

    Args:
        uniform: One number in [0, 1) a row, of shape (rows,).
    """
    if temperature == 0:
        return logits.argmax(-1).tolist()
    mass = logits.div_(temperature).softmax(-1)
    torch.cumsum(mass, -1, out=mass)
    # the sum is 1 but for float error: a point beyond it would be no token
    points = torch.as_tensor(uniform, device=mass.device, dtype=mass.dtype)[:, None] * mass[:, -1:]
    return torch.searchsorted(mass, points, right=True).clamp(max=mass.shape[-1] - 1)[:, 0].tolist()


def end_tokens(language_model: LanguageModel) -> set[int]:
    """Ids of the tokens that end a reply."""
    ids: set[int | None] = {language_model.tokenizer.eos_token_id}
    configured = getattr(language_model.model.generation_config, "eos_token_id", None)
    ids |= set(configured) if isinstance(configured, list) else {configured}
    return {token for token in ids if token is not None}


def in_batches(
    compute: Compute[Result],
    prompts: Sequence[Prompt],
    language_model: LanguageModel,
    progress: Progress,
) -> list[Result]:
    """What is computed of each prompt, in the order of the prompts.

    `compute` gets prompts of similar length, sorted by cell and tokens, so that common prefixes are
    neighbours. Where memory runs out, it gets them half and half.
    """
    results: dict[int, Result] = {}
    for batch in _similar_prompts(prompts):
        values = halving(compute, [prompts[i] for i in batch], language_model, progress)
        results |= zip(batch, values, strict=True)
    return [results[i] for i in range(len(prompts))]


def halving(
    compute: Callable[[list[Text]], list[Result]],
    prompts: list[Text],
    language_model: LanguageModel,
    progress: Progress,
) -> list[Result]:
    """Compute all at once, or, where memory runs out, half and half."""
    if not prompts:
        return []
    try:
        return compute(prompts)
    except Exception as error:
        if not is_out_of_memory(error) or len(prompts) == 1:
            raise
    # out of the handler, where the exception would keep the tensors of the failed pass
    language_model.shrink()
    half = len(prompts) // 2
    progress.say(f"out of memory at {len(prompts)} prompts: going on with {half}")
    return halving(compute, prompts[:half], language_model, progress) + halving(
        compute, prompts[half:], language_model, progress
    )


def by_cell_and_tokens(prompts: Sequence[Ordered]) -> list[int]:
    """The prompts' indices, sorted by cell and tokens."""
    return sorted(range(len(prompts)), key=lambda i: (prompts[i].cell, prompts[i].ids, i))


def _similar_prompts(prompts: Sequence[Prompt]) -> list[list[int]]:
    """Indices in batches, in order, none of whose prompts is twice as long as another of its batch.

    Prompts read together are padded to the longest: a few long ones would make all of them long.
    """
    order = by_cell_and_tokens(prompts)
    batches: list[set[int]] = []
    shortest = 0
    for i in sorted(order, key=lambda i: len(prompts[i].ids)):
        if not batches or len(prompts[i].ids) >= 2 * shortest:
            batches.append(set())
            shortest = len(prompts[i].ids)
        batches[-1].add(i)
    return [[i for i in order if i in batch] for batch in batches]
