"""Sampling replies: randomness by the reply's key, whatever it is drawn together with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.sampling.decoding import Decoder
from caveat.backends.local.sampling.requests import Prompt
from caveat.progress import Progress
from caveat.types.answers import Answer, Sampling


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a model wrote: token ids."""

    tokens: tuple[int, ...]
    """The end token not counted."""
    end: int | None
    """The token that ended it; None where it was cut."""


def reply(
    language_model: LanguageModel,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    route: Route,
    progress: Progress,
) -> list[Answer]:
    """Draw one reply a prompt, as text: see `draw`."""
    found = draw(language_model, prompts, sampling, route, progress)
    return [
        Answer(as_text(language_model, each), each.end is None, len(each.tokens)) for each in found
    ]


def as_text(language_model: LanguageModel, drawn: Drawn) -> str:
    """The reply without special tokens and blanks around it."""
    return language_model.tokenizer.decode(drawn.tokens, skip_special_tokens=True).strip()


@torch.inference_mode()
def draw(
    language_model: LanguageModel,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    route: Route,
    progress: Progress,
) -> list[Drawn]:
    """Draw one reply a prompt; prompts are sorted by cell.

    Each reply's randomness is a stream of uniforms made from its key, turned into tokens by the
    inverse of the cumulative distribution: batching changes nothing but float error.
    """
    draws = np.stack([uniforms(prompt.key, sampling.max_tokens) for prompt in prompts])
    decoder = Decoder(language_model, prompts, route)
    tokens: list[list[int]] = [[] for _ in prompts]
    ended: list[int | None] = [None] * len(prompts)
    ends = end_tokens(language_model)
    alive = list(range(len(prompts)))
    logits = decoder.begin()
    for step in range(sampling.max_tokens):
        chosen = choose(logits, draws[alive, step], sampling.temperature)
        for i, token in zip(alive, chosen, strict=True):
            if token in ends:
                ended[i] = token
            else:
                tokens[i].append(token)
        progress.advance("reply", len(alive))
        stay = [row for row, i in enumerate(alive) if ended[i] is None]
        alive = [alive[row] for row in stay]
        if not alive or step + 1 == sampling.max_tokens:
            break
        logits = decoder.next([chosen[row] for row in stay], stay)
    return [Drawn(tuple(some), end) for some, end in zip(tokens, ended, strict=True)]


def uniforms(key: str, count: int) -> np.ndarray:
    """`count` numbers in [0, 1), a pure function of the key (and not of `count`)."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(seed)).random(count)


def choose(logits: Tensor, draws: np.ndarray, temperature: float) -> list[int]:
    """One token a row of logits (rows, vocabulary), overwritten here; at 0 the likeliest."""
    if temperature == 0:
        return logits.argmax(-1).tolist()
    mass = logits.div_(temperature).softmax(-1)
    torch.cumsum(mass, -1, out=mass)
    points = torch.as_tensor(draws, device=mass.device, dtype=mass.dtype)[:, None] * mass[:, -1:]
    return torch.searchsorted(mass, points, right=True).clamp(max=mass.shape[-1] - 1)[:, 0].tolist()


def end_tokens(language_model: LanguageModel) -> set[int]:
    """Ids of the tokens that end a reply."""
    ids: set[int | None] = {language_model.tokenizer.eos_token_id}
    configured = getattr(language_model.model.generation_config, "eos_token_id", None)
    ids |= set(configured) if isinstance(configured, list) else {configured}
    return {token for token in ids if token is not None}
