"""The limit of training: the operations that a step cannot do without, at the machine's own rate.

Counted are matrix products and nothing else, two operations a multiply-add, over tokens that are
really there (padding is overhead, and so are norms, activations, softmax and the optimiser):

- a frozen linear layer: forward, and backward to its input, 2 in out each. Its own gradient is not
  needed, and no gradient goes to the input of the lowest adapted layer's q, k and v;
- an adapter: forward 2 r (in + out); backward to A, B and the input twice that;
- attention over a causal half: forward 2 T^2 width a row and layer, backward twice that;
- the head, forward and backward to its input, only for tokens with loss;
- layers beneath the lowest adapted one: forward alone.

The rate is that of the model's own matrices on as many rows as a step has tokens, forward and
backward, measured in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from caveat.backends.local.lora.stacked import adapted_modules


def operations(
    model: Any, rows: Sequence[tuple[int, int]], rank: int, layers: tuple[float, float]
) -> float:
    """Of training on rows, each given by its tokens and those of them with loss."""
    tokens = sum(length for length, _ in rows)
    learned = sum(loss for _, loss in rows)
    blocks, config = model.get_decoder().layers, model.config
    adapted = adapted_modules(model, layers)
    lowest = min(int(name.split(".layers.")[1].split(".")[0]) for name in adapted)
    linear = 0.0
    for number, block in enumerate(blocks):
        for name, module in block.named_modules():
            if not isinstance(module, torch.nn.Linear):
                continue
            first = number == lowest and name.endswith(("q_proj", "k_proj", "v_proj"))
            size = module.in_features * module.out_features
            linear += 2 * size * (1 if number < lowest or first else 2)
            if number >= lowest:
                wide = module.in_features + module.out_features
                linear += 6 * rank * wide - (2 * rank * module.in_features if first else 0)
    width = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    passes = len(blocks) + 2 * (len(blocks) - lowest)
    attention = sum(2 * length**2 for length, _ in rows) * width * passes
    head = 4 * config.hidden_size * config.vocab_size
    return tokens * linear + attention + learned * head


def products(model: Any, tokens: int) -> tuple[Callable[[], None], float]:
    """Every linear layer of one block, forward and backward to its input; and its operations."""
    block = model.get_decoder().layers[0]
    weights = [m.weight for m in block.modules() if isinstance(m, torch.nn.Linear)]
    given = [w.new_empty(tokens, w.shape[1]).normal_() for w in weights]
    back = [w.new_empty(tokens, w.shape[0]).normal_() for w in weights]
    forward = [x @ w.T for x, w in zip(given, weights, strict=True)]
    backward = [g @ w for g, w in zip(back, weights, strict=True)]

    @torch.no_grad()
    def work() -> None:
        for _ in range(ROUNDS):
            for x, g, w, y, d in zip(given, back, weights, forward, backward, strict=True):
                torch.mm(x, w.T, out=y)
                torch.mm(g, w, out=d)

    return work, ROUNDS * sum(4.0 * tokens * w.numel() for w in weights)


ROUNDS = 8
"""Over all matrices in one timing: long enough for a clock."""
