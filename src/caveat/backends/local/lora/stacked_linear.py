"""A frozen linear layer plus low-rank updates, each for the rows of its cell; backward by hand.

Autograd would make a tensor of every term, a gradient of all cells where a batch has some of them,
and add them up afterwards. Here each product is added where the sum lies, forward and backward, and
scales are put on the low-rank side, where little is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    pass


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


Segments = Sequence[tuple[int, int, int]]
"""(cell, first row, end row), in order, covering every row."""


def updated_linear(
    x: Tensor, base: torch.nn.Linear, segments: Segments, stacks: Sequence[Stack]
) -> Tensor:
    """x of shape (rows, positions, in) to (rows, positions, out).

    Backward adds the gradients of the stacks' A and B to their `grad` at once, cell by cell of
    those that have rows; the layer's own weight and bias get none.
    """
    terms = [_Term(stack, _shares(segments, x.shape[1])) for stack in stacks]
    leaves = (leaf for stack in stacks for leaf in (stack.down, stack.up))
    y = _UpdatedLinear.apply(x.flatten(0, 1), base.weight, base.bias, terms, *leaves)
    return y.unflatten(0, x.shape[:2])


class _UpdatedLinear(torch.autograd.Function):
    """`leaves` are given for autograd to know that there is something to learn."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        terms: Sequence[_Term],
        *leaves: Tensor,
    ) -> Tensor:
        y = torch.nn.functional.linear(x, weight, bias)
        ctx.save_for_backward(x, weight, *(term.add(x, y) for term in terms))
        ctx.terms = terms
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *lows = ctx.saved_tensors
        grad = grad.contiguous()
        into_x = grad @ weight if ctx.needs_input_grad[0] else None
        for term, low in zip(ctx.terms, lows, strict=True):
            term.back(grad, x, low, into_x)
        return into_x, *[None] * (len(ctx.needs_input_grad) - 1)


@dataclass(frozen=True)
class _Term:
    """What a stack adds to a layer's output in one batch: scale B A x of each row's cell."""

    stack: Stack
    shares: list[tuple[list[int], slice]]
    """Cells that have equally many rows each, one after the other, and those rows."""

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """Add it to y; gives scale A x, of shape (rows, rank)."""
        low = x.new_empty(len(x), self.stack.down.shape[1])
        for cells, rows in self.shares:
            down, up, scale = self._weights(cells, x)
            some = _by_cell(low[rows], cells)
            torch.bmm(_by_cell(x[rows], cells), down.mT, out=some).mul_(scale)
            _by_cell(y[rows], cells).baddbmm_(some, up.mT)
        return low

    def back(self, grad: Tensor, x: Tensor, low: Tensor, into_x: Tensor | None) -> None:
        """Add to the gradients of x, where it has one, and of A and B, where they learn."""
        for cells, rows in self.shares:
            down, up, scale = self._weights(cells, x)
            g = _by_cell(grad[rows], cells)
            back = torch.bmm(g, up).mul_(scale)
            if into_x is not None:
                _by_cell(into_x[rows], cells).baddbmm_(back, down)
            if self.stack.down.requires_grad:
                _learn(self.stack.down, cells, back.mT, _by_cell(x[rows], cells))
            if self.stack.up.requires_grad:
                _learn(self.stack.up, cells, g.mT, _by_cell(low[rows], cells))

    def _weights(self, cells: list[int], like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A, B and the scale of some cells."""
        parts = (self.stack.down, self.stack.up, self.stack.scale[:, None, None])
        down, up, scale = (_of(cells, part.detach()).to(like.dtype) for part in parts)
        return down, up, scale


def _shares(segments: Segments, positions: int) -> list[tuple[list[int], slice]]:
    """Runs of neighbouring cells that have equally many rows, all positions of a row counted."""
    found: list[tuple[list[int], slice]] = []
    size = 0
    for cell, start, end in segments:
        rows = slice(start * positions, end * positions)
        if found and end - start == size:
            cells, before = found[-1]
            found[-1] = [*cells, cell], slice(before.start, rows.stop)
        else:
            found.append(([cell], rows))
        size = end - start
    return found


def _learn(leaf: Tensor, cells: list[int], a: Tensor, b: Tensor) -> None:
    """Add a @ b to the gradient of some cells."""
    if leaf.grad is None:
        leaf.grad = torch.zeros_like(leaf)
    if _is_run(cells) and a.dtype == leaf.dtype:
        leaf.grad[cells[0] : cells[-1] + 1].baddbmm_(a, b)
    else:
        index = torch.tensor(cells, device=leaf.device)
        leaf.grad.index_add_(0, index, torch.bmm(a, b).to(leaf.dtype))


def _of(cells: list[int], stack: Tensor) -> Tensor:
    return stack[cells[0] : cells[-1] + 1] if _is_run(cells) else stack[cells]


def _is_run(cells: list[int]) -> bool:
    return cells == list(range(cells[0], cells[-1] + 1))


def _by_cell(rows: Tensor, cells: list[int]) -> Tensor:
    """(all rows, width) as (cells, rows of each, width)."""
    return rows.view(len(cells), -1, rows.shape[-1])
