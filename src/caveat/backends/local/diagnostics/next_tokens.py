"""Whole distributions of the next token, of many models in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from caveat.backends.batches import Example
from caveat.backends.jobs import AdapterRef
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.device_memory import TOKEN_BUDGET
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.reader import Reader
from caveat.backends.local.sampling.answers import chains_of, read_texts
from caveat.backends.requests import Request
from caveat.progress import Progress
from caveat.rendering import prompt_ids


def next_token_log_probabilities(
    language_model: LanguageModel,
    adapters: Mapping[AdapterRef, Adapter],
    requests: Sequence[Request[AdapterRef]],
    progress: Progress,
) -> np.ndarray:
    """Log-probabilities in nats behind each prompt, of shape (requests, vocabulary), float32.

    Where memory runs out, the requests are split in two.

    Args:
        adapters: Every adapter that a request names.

    Raises CaveatError for a prompt without tokens.
    """
    chains = chains_of(requests)
    examples = []
    for request in requests:
        ids = prompt_ids(language_model.tokenizer, request.messages, request.key)
        # the token behind the prompt is any: what predicts it is what is wanted
        examples.append(Example(chains.index(request.adapters), (*ids, ids[0]), (len(ids),)))
    rows = read_texts(
        language_model,
        [[adapters[name] for name in chain] for chain in chains],
        examples,
        lambda batch, reader, route: _rows(reader, batch, route, progress),
        progress,
    )
    return np.stack(rows)


@torch.inference_mode()
def _rows(
    reader: Reader, examples: Sequence[Example], route: Route, progress: Progress
) -> list[np.ndarray]:
    """One row an example, in their order."""
    tagged = [
        Example(example.cell, example.ids, example.targets, tag=tag)
        for tag, example in enumerate(examples)
    ]
    rows: dict[int, np.ndarray] = {}
    for batch in reader.batches(tagged, TOKEN_BUDGET):
        values = reader.logits(batch, route).float().log_softmax(-1).cpu().numpy()
        rows |= {example.tag: row for example, row in zip(batch.examples, values, strict=True)}
        progress.advance("score", sum(len(example.ids) - 1 for example in batch.examples))
    return [rows[tag] for tag in range(len(tagged))]
