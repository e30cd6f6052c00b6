"""Log-probabilities of given tokens straight from hidden states, the head's part in chunks.

A token's log-probability depends on its own hidden state alone, so that its gradient is computed
with it, and the logits of all tokens are never there together: as in Hsu et al. 2024 (Liger,
arXiv:2410.10989).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from caveat.backends.local.models.device_memory import logits_at_once
from caveat.backends.local.models.split_decoder import agree, probed

SCALED_LOGITS = (
    "final_logit_softcapping",
    "lm_head_multiplier",
    "logit_scale",
    "logits_scaling",
    "logits_soft_cap",
)
"""Configuration keys of models that do more to logits."""


def has_scaled_logits(model: Any) -> bool:
    """Whether a model's configuration names something that is done to what its head gives."""
    configs = (model.config, model.config.get_text_config())
    return any(getattr(config, key, None) for config in configs for key in SCALED_LOGITS)


@torch.inference_mode()
def is_head_applied(model: Any) -> bool:
    """Whether a model's logits are its head applied to its decoder's states, and no more than that.

    A few tokens are read both ways. What the configuration names is believed: where logits are
    small, a cap cannot be seen. The model must not be stacked.
    """
    if has_scaled_logits(model):
        return False
    ids = probed(model)
    try:
        whole = model(input_ids=ids, use_cache=False).logits  # not finite of forbidden tokens
        states = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
        return agree(model.get_output_embeddings()(states), whole)
    except Exception:  # of a class that is built otherwise, which may raise anything
        return False


def of_logits(logits: Tensor, tokens: Tensor, temperatures: Tensor | None = None) -> Tensor:
    """Log-probabilities of tokens, in nats, of shape (n,).

    Args:
        logits: Shape (n, vocabulary).
        tokens: Shape (n,).
        temperatures: What the logits are divided by, of shape (n,); 1 where None.
    """
    logits = logits.float()
    if temperatures is not None:
        logits = logits / temperatures[:, None]
    return -nn.functional.cross_entropy(logits, tokens, reduction="none")


def of_hidden(
    hidden: Tensor, head: nn.Linear, tokens: Tensor, temperatures: Tensor | None = None
) -> Tensor:
    """`of_logits` of what a head makes of hidden states (n, width); it learns nothing itself."""
    return _OfHidden.apply(hidden, head.weight, head.bias, tokens, temperatures)


class _OfHidden(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        tokens: Tensor,
        temperatures: Tensor | None,
    ) -> Tensor:
        chunk = max(1, logits_at_once(hidden.device) // len(weight))
        room = hidden.new_empty(min(chunk, len(hidden)), len(weight))
        found = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        slopes = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        for start in range(0, len(hidden), chunk):
            some = slice(start, start + chunk)
            logits = torch.mm(hidden[some], weight.T, out=room[: len(hidden[some])])
            if bias is not None:
                logits += bias
            logits = logits.float()
            if temperatures is not None:
                logits /= temperatures[some, None]
            wanted = tokens[some, None]
            highest = logits.amax(1, keepdim=True)
            at = logits.gather(1, wanted) - highest
            shares = logits.sub_(highest).exp_()
            total = shares.sum(1, keepdim=True)
            found[some] = (at - total.log())[:, 0]
            if slopes is not None:
                off = shares.div_(-total).scatter_add_(1, wanted, torch.ones_like(total))
                back = off.to(weight.dtype) @ weight
                slopes[some] = back if temperatures is None else back / temperatures[some, None]
        ctx.save_for_backward(slopes)
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return (grad[:, None] * slopes).to(slopes.dtype), None, None, None, None
