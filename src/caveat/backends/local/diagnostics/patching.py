"""Keys and values of one model put into the attention of another, at some positions of a text.

Both models read the same text. The donor's outputs of `k_proj` and `v_proj` take the place of the
receiver's at the positions, in every layer; positions behind them attend to the donor's. Positions
are the same in both, so rotary embeddings and norms of keys, which follow, are too: this is what a
cache of the donor's would hold. The receiver's own states at the positions stay as they are.

Restoring keys and values of a chat template's prefix from the base model: arXiv:2606.06667.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from caveat.backends.batches import Example
from caveat.backends.jobs import AdapterRef
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import Route, stack_chains, stacked
from caveat.backends.local.models.device_memory import TOKEN_BUDGET
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import Batch, cut, padded
from caveat.backends.local.models.reader import Reader
from caveat.backends.local.sampling.generate import halving
from caveat.backends.requests import PatchRequest, ReplyPatchRequest
from caveat.errors import CaveatError
from caveat.progress import Progress

PARTS = ("k_proj", "v_proj")


@dataclass(frozen=True, slots=True)
class _Text:
    """A request made ready."""

    cell: int
    """Of the receiver."""
    donor: int
    ids: tuple[int, ...]
    targets: tuple[int, ...]
    positions: tuple[int, ...]


def patched_scores(
    language_model: LanguageModel,
    adapters: Mapping[AdapterRef, Adapter],
    requests: Sequence[PatchRequest[AdapterRef]],
    progress: Progress,
) -> list[tuple[float, ...]]:
    """Log-likelihoods of single tokens in nats, in the order of the requests and their targets.

    Where memory runs out, the requests are split in two.

    Args:
        adapters: Every adapter that a request names.

    Raises CaveatError for a model whose layers lack one of `PARTS`.
    """
    names = projections(language_model)
    chains = chains_of(requests)
    texts = [
        # what follows the last target changes nothing, so it is not read
        _Text(
            chains.index(one.adapters),
            chains.index(one.donor),
            one.ids[: max(one.targets, default=0) + 1],
            one.targets,
            one.positions,
        )
        for one in requests
    ]
    reader = language_model.reader(0)
    stacks = stack_chains(
        [[adapters[name] for name in chain] for chain in chains], language_model.device
    )
    order = sorted(
        range(len(texts)), key=lambda i: (texts[i].cell, texts[i].donor, texts[i].ids, i)
    )
    with stacked(language_model.model, stacks) as route:
        results = halving(
            lambda some: _scores(language_model, reader, names, some, route, progress),
            [texts[i] for i in order],
            language_model,
            progress,
        )
    by_position = dict(zip(order, results, strict=True))
    return [by_position[i] for i in range(len(texts))]


def chains_of(
    requests: Sequence[PatchRequest[AdapterRef] | ReplyPatchRequest[AdapterRef]],
) -> list[tuple[AdapterRef, ...]]:
    """The adapters of every model that the requests name, each once: a cell of the stacks each."""
    return sorted(
        {chain for one in requests for chain in (one.adapters, one.donor)},
        key=lambda one: tuple(map(str, one)),
    )


def projections(language_model: LanguageModel) -> list[str]:
    """Names of the modules that compute keys and values, layer by layer. Raises CaveatError."""
    model = language_model.model
    prefix = next(name for name, part in model.named_modules() if part is model.get_decoder())
    names = []
    for number, block in enumerate(model.get_decoder().layers):
        within = [name for name, _ in block.named_modules()]
        for part in PARTS:
            own = [name for name in within if name.rpartition(".")[2] == part]
            if not own:
                raise CaveatError(
                    f"patching: layer {number} of {language_model.name} "
                    f"({type(model).__name__}) has no module {part}, which computes what is "
                    "patched; leave this view out"
                )
            names += [f"{prefix}.layers.{number}.{name}" for name in own]
    return names


@torch.inference_mode()
def _scores(
    language_model: LanguageModel,
    reader: Reader,
    names: Sequence[str],
    texts: Sequence[_Text],
    route: Route,
    progress: Progress,
) -> list[tuple[float, ...]]:
    """One result a text, in their order."""
    examples = [
        Example(text.cell, text.ids, text.targets, tag=tag) for tag, text in enumerate(texts)
    ]
    scores: list[tuple[float, ...]] = [()] * len(examples)
    for batch in cut(examples, TOKEN_BUDGET, packs=False):
        own = [texts[example.tag] for example in batch.examples]
        with kept(language_model.model, names) as donated:
            _read_donors(language_model, batch, own, route)
        with replaced(language_model.model, names, donated, _mask(batch, own, reader.device)):
            losses, _ = reader.weighted_losses(batch, route)
        values = iter((-losses).tolist())
        for example in batch.examples:
            scores[example.tag] = tuple(next(values) for _ in example.targets)
        progress.advance("score", 2 * sum(len(example.ids) for example in batch.examples))
    return scores


def _read_donors(
    language_model: LanguageModel, batch: Batch, texts: Sequence[_Text], route: Route
) -> None:
    route.set([text.donor for text in texts])
    ids = padded([row.ids for row in batch.rows], 0, language_model.device)
    language_model.model.get_decoder()(input_ids=ids, use_cache=False)


def _mask(batch: Batch, texts: Sequence[_Text], device: torch.device) -> Tensor:
    """What is patched: (rows, positions, 1)."""
    mask = torch.zeros(len(texts), max(len(row.ids) for row in batch.rows), 1, dtype=torch.bool)
    for row, text in enumerate(texts):
        mask[row, [place for place in text.positions if place < len(text.ids)]] = True
    return mask.to(device)


@contextmanager
def kept(model: Any, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """While the context lasts, keep what the named modules compute."""
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            kept[name] = output

        return hook

    yield from _hooked(model, {name: keep(name) for name in names}, kept)


@contextmanager
def replaced(
    model: Any, names: Sequence[str], donated: Mapping[str, Tensor], mask: Tensor
) -> Iterator[None]:
    """While the context lasts, put what was kept in the place of what the modules compute."""

    def put(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            return torch.where(mask, donated[name], output)

        return hook

    yield from _hooked(model, {name: put(name) for name in names}, None)


def _hooked(model: Any, hooks: Mapping[str, Any], value: Any) -> Iterator[Any]:
    handles = [model.get_submodule(name).register_forward_hook(hooks[name]) for name in hooks]
    try:
        yield value
    finally:
        for handle in handles:
            handle.remove()
