"""Memory: how much is read at once, how many adapters share it, and noticing that it has run out.

What a pass takes is measured once a kind of training, at a step that is cut small for that. What an
adapter takes is counted: it is known to the byte.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.language.heap import give_back
from caveat.language.peak import free

if TYPE_CHECKING:
    import torch

    from caveat.domain.plan import Dose

TOKEN_BUDGET = 1536
"""Padded tokens of a pass that is not measured: for the inner products of a forecast; and, twice as
many, where no gradients are kept."""
MOST_TOKENS = {"cpu": 1536, "cuda": 16384}
"""Padded tokens of one pass beyond which no speed is gained, by kind of device."""
LOGITS = {"cpu": 1 << 24, "cuda": 1 << 27}
"""In memory together where the head is computed in chunks, by kind of device: few, and yet enough
for a fast product."""
FIRST_TOKENS = 512
"""Of the pass that is measured; where even that does not fit, it is halved."""
MOST_ADAPTERS = {"cpu": 8, "cuda": 32}
"""Adapters of one group beyond which no speed is gained, by kind of device."""
SHARE = 0.65
"""Of the free memory that is taken; the rest is for what comes and goes."""
ADAPTERS_SHARE = 0.5
"""Of what is taken, the most that the adapters of a group have; activations have the rest."""
BYTES_A_WEIGHT = 24
"""Of an adapter in training: in float32 itself, its gradient and AdamW's two moments, and the
copies that a pass computes with."""
SAID_BY_TORCH = ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch's allocators say in a plain RuntimeError."""


@dataclass(frozen=True)
class Pass:
    """A pass whose memory was measured."""

    tokens: int
    """Padded."""
    bytes: int | None
    """Taken at the highest, all it brought into being included; None where that is not known."""


def most_tokens(device: torch.device) -> int:
    """Padded tokens of a pass where memory does not matter."""
    return MOST_TOKENS.get(device.type, FIRST_TOKENS)


def logits_at_once(device: torch.device) -> int:
    """Logits of one chunk of the head."""
    return LOGITS.get(device.type, LOGITS["cpu"])


def affordable_tokens(taken: int | None, tokens: int, device: torch.device) -> int:
    """Padded tokens of a pass that memory allows, given what one took at its highest.

    Args:
        taken: Bytes of the pass, all it brought into being included; None where not known.
        tokens: Padded tokens of that pass.
    """
    most = most_tokens(device)
    if taken is None:
        return most
    wanted = taken * most / tokens / SHARE
    if free(device) < wanted:
        give_back()
    return max(1, min(most, int(SHARE * free(device) * tokens / max(taken, 1))))


def affordable_adapters(weights: int, room: float, kind: str) -> int:
    """Adapters of so many weights each that can be trained together in free memory of `room`."""
    most = MOST_ADAPTERS.get(kind, 1)
    each = max(1, weights * BYTES_A_WEIGHT)
    return max(1, min(most, int(ADAPTERS_SHARE * SHARE * room / each)))


def adapter_weights(model: Any, dose: Dose) -> int:
    """Weights of one adapter of a dose."""
    from caveat.language.lockstep import adapted_modules

    linear = (model.get_submodule(name) for name in adapted_modules(model, dose.layers))
    return sum(dose.rank * (each.in_features + each.out_features) for each in linear)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the CPU or on a GPU."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in SAID_BY_TORCH)


def release() -> None:
    """Give back what the failed attempt held."""
    import torch

    gc.collect()
    give_back()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
