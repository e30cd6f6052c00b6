"""Replies to prompts at some of whose positions the keys and values are another model's.

The donor reads the same prompt first. What its `k_proj` and `v_proj` compute at the positions goes
into the receiver's cache, in every layer; the reply is then sampled as usual. See `patching` for
why this is what a cache of the donor's would hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from caveat.backends.jobs import AdapterRef
from caveat.backends.local.diagnostics.patching import chains_of, kept, projections, replaced
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import Route, stack_chains, stacked
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.sampling.decoding import Decoder, Prompt, left_padded
from caveat.backends.local.sampling.generate import in_batches, sample_replies
from caveat.backends.requests import ReplyPatchRequest
from caveat.progress import Progress
from caveat.rendering import prompt_ids
from caveat.types.answers import Answer, Sampling


@dataclass(frozen=True)
class PatchedPrompt(Prompt):
    """A request made ready."""

    donor: int
    """Cell of the model whose keys and values are taken."""
    positions: tuple[int, ...]


class PatchedDecoder(Decoder):
    """Reads every prompt whole, by the donor and then by the receiver; no prefix is shared."""

    def __init__(
        self,
        language_model: LanguageModel,
        names: Sequence[str],
        prompts: Sequence[PatchedPrompt],
        route: Route,
        progress: Progress,
    ) -> None:
        """Hold the prompts.

        Args:
            names: The modules whose outputs are patched: see `projections`.
        """
        super().__init__(language_model, prompts, route)
        self.names, self.patched, self.progress = names, prompts, progress

    def begin(self) -> Tensor:
        """Read the prompts; logits of each one's next token, of shape (prompts, vocabulary)."""
        ids, self.mask = left_padded([prompt.ids for prompt in self.patched], self.device)
        with kept(self.model, self.names) as donated:
            self.route.set([prompt.donor for prompt in self.patched])
            self._read(self._empty_cache(), ids, self.mask, slice(0))
        self.route.set(self.cells)
        with replaced(self.model, self.names, donated, self._places(ids.shape[1])):
            logits = self._read(self.cache, ids, self.mask, slice(None))
        self.live = [*range(len(self.patched))]
        self.progress.advance("score", 2 * sum(len(prompt.ids) for prompt in self.patched))
        return logits

    def _places(self, width: int) -> Tensor:
        """What is patched: (prompts, width, 1). Prompts are padded on the left."""
        places = torch.zeros(len(self.patched), width, 1, dtype=torch.bool)
        for row, prompt in enumerate(self.patched):
            padding = width - len(prompt.ids)
            places[row, [padding + position for position in prompt.positions]] = True
        return places.to(self.device)


def patched_answers(
    language_model: LanguageModel,
    adapters: Mapping[AdapterRef, Adapter],
    requests: Sequence[ReplyPatchRequest[AdapterRef]],
    sampling: Sampling,
    progress: Progress,
) -> list[Answer]:
    """Replies in the order of the requests. Where memory runs out, they are split in two.

    Args:
        adapters: Every adapter that a request names.

    Raises CaveatError for a model without the modules that are patched, and an empty prompt.
    """
    names = projections(language_model)
    chains = chains_of(requests)
    prompts = [
        PatchedPrompt(
            one.key,
            chains.index(one.adapters),
            prompt_ids(language_model.tokenizer, one.messages, one.key),
            (),
            chains.index(one.donor),
            one.positions,
        )
        for one in requests
    ]
    stacks = stack_chains(
        [[adapters[name] for name in chain] for chain in chains], language_model.device
    )

    def compute(batch: list[PatchedPrompt]) -> list[Answer]:
        decoder = PatchedDecoder(language_model, names, batch, route, progress)
        return sample_replies(language_model, batch, sampling, route, progress, decoder=decoder)

    with stacked(language_model.model, stacks) as route:
        return in_batches(compute, prompts, language_model, progress)
