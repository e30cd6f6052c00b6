"""Sampling replies with a KV cache: shared beginnings once, finished rows leave early."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caveat.domain.reply import Answer, Sampling
from caveat.language.lockstep import Route
from caveat.language.requests import Prompt
from caveat.language.source import LanguageModel
from caveat.progress import Progress

SHORTEST_SHARED = 8
"""Tokens from which on a common beginning is worth a pass of its own."""


@dataclass
class Bundle:
    """Neighbouring prompts of one cell with a common beginning."""

    cell: int
    shared: tuple[int, ...]
    members: list[int]


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
    decoder = _Decoder(language_model, prompts, route)
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


def distinct(prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[int]]:
    """The first of each run of equal prompts of a cell, and per prompt the place of its first."""
    firsts: list[Prompt] = []
    first_of = []
    for prompt in prompts:
        if not firsts or (firsts[-1].cell, firsts[-1].ids) != (prompt.cell, prompt.ids):
            firsts.append(prompt)
        first_of.append(len(firsts) - 1)
    return firsts, first_of


def bundles(prompts: Sequence[Prompt]) -> list[Bundle]:
    """Cut sorted prompts into bundles; each prompt keeps at least one token of its own."""
    found: list[Bundle] = []
    for i, prompt in enumerate(prompts):
        if found and found[-1].cell == prompt.cell:
            last = found[-1]
            common = _common(last.shared, prompt.ids[:-1])
            if common >= SHORTEST_SHARED and common >= 0.6 * len(last.shared):
                last.shared = last.shared[:common]
                last.members.append(i)
                continue
        found.append(Bundle(prompt.cell, prompt.ids[:-1], [i]))
    return found


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return n
    return min(len(a), len(b))


class _Decoder:
    """A KV cache over prompts, padded on the left twice: shared beginnings, then the rest."""

    def __init__(
        self, language_model: LanguageModel, prompts: Sequence[Prompt], route: Route
    ) -> None:
        from transformers import DynamicCache

        self.model, self.device = language_model.model, language_model.device
        self.prompts = prompts
        self.route = route
        self.cells = [prompt.cell for prompt in prompts]
        self.cache = DynamicCache(config=language_model.model.config)
        self.mask = torch.zeros(0)

    def begin(self) -> Tensor:
        """Read the prompts; logits of each one's next token, of shape (prompts, vocabulary).

        Neighbours that are equal, such as several samples of one prompt, are read once.
        """
        firsts, first_of = distinct(self.prompts)
        groups = bundles(firsts)
        shared = [list(group.shared) for group in groups]
        self.route.set([group.cell for group in groups])
        ids, self.mask = _left_padded(shared, self.device)
        if ids.shape[1]:
            self._read(ids, self.mask)
            member_of = [n for n, group in enumerate(groups) for _ in group.members]
            self._keep(member_of)
        rest = [firsts[i].ids[len(group.shared) :] for group in groups for i in group.members]
        self.route.set([prompt.cell for prompt in firsts])
        ids, mask = _left_padded(rest, self.device)
        logits = self._read(ids, torch.cat([self.mask, mask], 1))
        if len(firsts) == len(self.prompts):
            return logits
        self._keep(first_of)
        return logits[torch.tensor(first_of, device=self.device)]

    def next(self, tokens: list[int], stay: list[int]) -> Tensor:
        """Append a token to each row that stays; logits of shape (staying rows, vocabulary)."""
        if len(stay) < len(self.mask):
            self._keep(stay)
            self.cells = [self.cells[row] for row in stay]
        self.route.set(self.cells)
        ids = torch.tensor(tokens, device=self.device)[:, None]
        return self._read(ids, torch.cat([self.mask, torch.ones_like(ids)], 1))

    def _keep(self, rows: list[int]) -> None:
        index = torch.tensor(rows, device=self.device)
        self.cache.batch_select_indices(index)
        self.mask = self.mask[index]

    def _read(self, ids: Tensor, mask: Tensor) -> Tensor:
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out: Any = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.mask = mask
        return out.logits[:, -1].float()


def _left_padded(rows: Sequence[Sequence[int]], device: Any) -> tuple[Tensor, Tensor]:
    """Ids and mask of shape (rows, longest); padding is 0 in both."""
    longest = max(len(row) for row in rows)
    ids = [[*[0] * (longest - len(row)), *row] for row in rows]
    mask = [[*[0] * (longest - len(row)), *[1] * len(row)] for row in rows]
    shape = (len(rows), longest)
    return (
        torch.tensor(ids, device=device, dtype=torch.long).view(shape),
        torch.tensor(mask, device=device, dtype=torch.long).view(shape),
    )
