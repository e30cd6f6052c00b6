"""Hidden states of many models in one pass: means over the positions that a caller names.

A state is what a decoder layer writes into the residual stream, before the final norm. Layers are
counted from 0, so that layer n is `output_hidden_states[n + 1]` of transformers, but for the last
layer, behind which transformers gives the normed state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caveat.backends.batches import Example
from caveat.backends.jobs import AdapterRef
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.device_memory import TOKEN_BUDGET
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import Batch, cut, padded
from caveat.backends.local.sampling.answers import chains_of, read_texts
from caveat.backends.requests import StateRequest
from caveat.errors import CaveatError
from caveat.progress import Progress

Spans = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class _Text:
    """A request made ready."""

    cell: int
    ids: tuple[int, ...]
    spans: Spans


def mean_states(
    language_model: LanguageModel,
    adapters: Mapping[AdapterRef, Adapter],
    requests: Sequence[StateRequest[AdapterRef]],
    layers: Sequence[int],
    progress: Progress,
) -> list[np.ndarray]:
    """Of each request, in order, float32 of shape (spans, layers, width).

    Where memory runs out, the requests are split in two.

    Args:
        adapters: Every adapter that a request names.

    Raises CaveatError for a layer that the model does not have.
    """
    check_layers(language_model, layers)
    chains = chains_of(requests)
    texts = [
        # what follows the last span changes nothing, so it is not read
        _Text(chains.index(one.adapters), one.ids[: 1 + _last(one.spans)], one.spans)
        for one in requests
    ]
    return read_texts(
        language_model,
        [[adapters[name] for name in chain] for chain in chains],
        texts,
        lambda batch, reader, route: _states(language_model, batch, layers, route, progress),
        progress,
    )


def check_layers(language_model: LanguageModel, layers: Sequence[int]) -> None:
    """Raise CaveatError for a layer that the model does not have."""
    count = len(language_model.model.get_decoder().layers)
    for layer in layers:
        if not 0 <= layer < count:
            raise CaveatError(
                f"layer {layer}: {language_model.name} has {count} layers, 0 to {count - 1}; name "
                "some of these"
            )


def _last(spans: Spans) -> int:
    return max(position for span in spans for position in span)


@torch.inference_mode()
def _states(
    language_model: LanguageModel,
    texts: Sequence[_Text],
    layers: Sequence[int],
    route: Route,
    progress: Progress,
) -> list[np.ndarray]:
    """One array a text, in their order."""
    examples = [Example(text.cell, text.ids, (), tag=tag) for tag, text in enumerate(texts)]
    states: dict[int, np.ndarray] = {}
    for batch in cut(examples, 2 * TOKEN_BUDGET, packs=False):
        spans = [texts[example.tag].spans for example in batch.examples]
        read = _read(language_model, batch, spans, layers, route).cpu().numpy()
        ends = np.cumsum([len(some) for some in spans])
        for example, part in zip(batch.examples, np.split(read, ends[:-1]), strict=True):
            states[example.tag] = part
        progress.advance("score", sum(len(example.ids) for example in batch.examples))
    return [states[tag] for tag in range(len(texts))]


def _read(
    language_model: LanguageModel,
    batch: Batch,
    spans: Sequence[Spans],
    layers: Sequence[int],
    route: Route,
) -> Tensor:
    """Of all spans of a batch, in order: (spans, layers, width)."""
    decoder, device = language_model.model.get_decoder(), language_model.device
    flat = [(row, span) for row, some in enumerate(spans) for span in some]
    places = [
        (row, position, number) for number, (row, span) in enumerate(flat) for position in span
    ]
    rows, positions, numbers = torch.tensor(places, device=device).unbind(1)
    sizes = torch.tensor([len(span) for _, span in flat], device=device)[:, None]

    def mean(states: Tensor) -> Tensor:
        picked = states[rows, positions].float()
        return picked.new_zeros(len(flat), picked.shape[1]).index_add(0, numbers, picked) / sizes

    route.set([row.cell for row in batch.rows])
    ids = padded([row.ids for row in batch.rows], 0, device)
    with _heard(decoder.layers, layers, mean) as means:
        decoder(input_ids=ids, use_cache=False)
    return torch.stack([means[layer] for layer in layers], 1)


@contextmanager
def _heard(blocks: nn.ModuleList, layers: Sequence[int], reduce: Any) -> Iterator[dict]:
    """While the context lasts, keep what some layers write, reduced."""
    kept: dict[int, Tensor] = {}

    def hook(layer: int) -> Any:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            kept[layer] = reduce(output[0] if isinstance(output, tuple) else output)

        return keep

    handles = [blocks[layer].register_forward_hook(hook(layer)) for layer in set(layers)]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()
