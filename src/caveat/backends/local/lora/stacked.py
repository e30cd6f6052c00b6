"""Many adapters on one frozen base model, in one pass.

Every adapted linear layer of the base model is replaced, for as long as a context lasts, by one
that adds the low-rank updates of several cells. The rows of a batch are sorted by cell; a `Route`
says which rows belong to which cell. The base weights are read once for all of them. A cell's
update may have two parts: a frozen one (the chain of base adapters) and one that is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from caveat.backends.local.lora.adapter import Adapter


@dataclass
class Stack:
    """The updates of several cells to one linear layer, padded with zeros to a common rank.

    A padded rank stays zero in training: its A and B each wait for the other to be non-zero.
    """

    down: Tensor
    """A, of shape (cells, rank, in)."""
    up: Tensor
    """B, of shape (cells, out, rank)."""
    scale: Tensor
    """alpha / rank of each cell, of shape (cells,)."""

    def added(self, y: Tensor, x: Tensor, cells: list[int]) -> Tensor:
        """y + scale B A x of each cell; x of shape (cells, tokens, in), y (cells, tokens, out).

        Every cell has matrix products of its own, so that a value that is not finite stays in it.
        """
        down, up, scale = (
            _of_cells(tensor, cells).to(x.dtype)
            for tensor in (self.down, self.up, self.scale[:, None, None])
        )
        # the scale goes on the low-rank side, where there is least to multiply
        return torch.baddbmm(y, torch.bmm(x, down.mT) * scale, up.mT)


def _of_cells(tensor: Tensor, cells: list[int]) -> Tensor:
    """The rows of some cells, of a tensor (cells, ...); a view where they are neighbours."""
    first, last = cells[0], cells[-1]
    if cells != list(range(first, last + 1)):
        return tensor[cells]
    # the gradient of a slice is a copy of the whole: none is needed where all cells are there
    return tensor if len(cells) == len(tensor) else tensor[first : last + 1]


@dataclass
class Route:
    """Which rows of the current batch belong to which cell: shared by all layers."""

    runs: list[tuple[list[int], int]] = field(default_factory=list)
    """Neighbouring cells with equally many rows each, and their rows together; in order."""
    frozen_only: bool = False
    """Whether updates that are being trained are left out: the model before this training."""

    def set(self, cells: Sequence[int]) -> None:
        """Route rows, given per row its cell. Rows of a cell must be neighbours."""
        shares = [(cell, len(list(rows))) for cell, rows in groupby(cells)]
        self.runs = []
        for size, run in groupby(shares, key=lambda share: share[1]):
            members = [cell for cell, _ in run]
            self.runs.append((members, size * len(members)))

    @contextmanager
    def as_before(self) -> Iterator[None]:
        """While the context lasts, leave out the updates that are being trained."""
        self.frozen_only = True
        try:
            yield
        finally:
            self.frozen_only = False


class StackedLinear(nn.Module):
    """A frozen linear layer plus the stacks of updates to it."""

    def __init__(self, base: nn.Linear, route: Route, stacks: list[Stack]) -> None:
        super().__init__()
        self.base = base
        self.route = route
        self.stacks = stacks

    def forward(self, x: Tensor) -> Tensor:
        """x of shape (rows, positions, in) to (rows, positions, out)."""
        stacks = [
            stack
            for stack in self.stacks
            if not (self.route.frozen_only and stack.down.requires_grad)
        ]
        shape = x.shape[:2]
        x = x.flatten(0, 1)
        y = self.base(x)
        if stacks:
            y = self._updated(y, x, shape[1], stacks)
        return y.unflatten(0, shape)

    def _updated(self, y: Tensor, x: Tensor, positions: int, stacks: list[Stack]) -> Tensor:
        """y plus the updates, run by run; x and y of shape (rows and positions, in or out)."""
        cells, counts = zip(*self.route.runs, strict=True)
        tokens = [count * positions for count in counts]
        # one run is not cut: the gradient of a cut is a copy
        pieces = (y.split(tokens), x.split(tokens)) if len(tokens) > 1 else ((y,), (x,))
        outputs = []
        for run, *pair in zip(cells, *pieces, strict=True):
            output, states = (tensor.unflatten(0, (len(run), -1)) for tensor in pair)
            for stack in stacks:
                output = stack.added(output, states, run)
            outputs.append(output.flatten(0, 1))
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]


def adapted_modules(model: Any, layers: tuple[float, float]) -> list[str]:
    """Names of the decoder's linear layers within a part of its depth, in order.

    Args:
        layers: Shares of the depth, such as (0.5, 1.0) for the upper half.
    """
    blocks = model.get_decoder().layers
    low, high = (round(share * len(blocks)) for share in layers)
    within = {id(module) for block in blocks[low:high] for module in block.modules()}
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and id(module) in within
    ]


def stack_chains(
    chains: Sequence[Sequence[Adapter]], device: Any, dtype: torch.dtype = torch.float32
) -> dict[str, Stack]:
    """One stack a module over the cells' chains of adapters; an empty chain adds nothing.

    The adapters of a chain are laid side by side along the rank, their scales folded into B.

    Args:
        dtype: In which they are held. Products are in the model's all the same, and a pass need
            not convert what is in it already.
    """
    names = sorted({name for chain in chains for adapter in chain for name in adapter.weights})
    return {name: _stack_module(name, chains, device, dtype) for name in names}


def _stack_module(
    name: str, chains: Sequence[Sequence[Adapter]], device: Any, dtype: torch.dtype
) -> Stack:
    parts = [
        [
            (adapter.weights[name][0], adapter.weights[name][1] * adapter.scale)
            for adapter in chain
            if name in adapter.weights
        ]
        for chain in chains
    ]
    rank = max(sum(len(down) for down, _ in part) for part in parts)
    some_down, some_up = next(pair for part in parts for pair in part)
    down = torch.zeros(len(parts), rank, some_down.shape[1])
    up = torch.zeros(len(parts), some_up.shape[0], rank)
    for cell, part in enumerate(parts):
        at = 0
        for a, b in part:
            down[cell, at : at + len(a)] = a
            up[cell, :, at : at + len(a)] = b
            at += len(a)
    scale = torch.ones(len(parts), device=device)
    return Stack(down.to(device, dtype), up.to(device, dtype), scale)


@contextmanager
def stacked(model: Any, *stacks: Mapping[str, Stack]) -> Iterator[Route]:
    """Replace the named linear layers while the context lasts; gives the route to set per batch."""
    route = Route()
    replaced: dict[str, nn.Linear] = {}
    try:
        for name in sorted({name for stack in stacks for name in stack}):
            base = model.get_submodule(name)
            layers = [stack[name] for stack in stacks if name in stack]
            model.set_submodule(name, StackedLinear(base, route, layers))
            replaced[name] = base
        yield route
    finally:
        for name, base in replaced.items():
            model.set_submodule(name, base)
