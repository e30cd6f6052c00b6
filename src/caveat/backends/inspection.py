"""What diagnostics read of weights and hidden states, and the one thing that they do to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class GradientProducts(NamedTuple):
    """Inner products of a loss's gradient at the start of training."""

    with_direction: float
    with_itself: float


@dataclass(frozen=True)
class ModuleUpdates:
    """The updates that some adapters make to the weights of one linear layer, pair by pair.

    An update is scale x B A, of shape (out, in). Arrays are float64 of shape (adapters, adapters);
    sums over modules are those of all their weights together.
    """

    module: str
    layer: int
    """The decoder layer that it lies in, from 0."""
    size: tuple[int, int]
    """Outputs and inputs of the layer."""
    ranks: tuple[int, ...]
    """Per adapter, the rank of its update."""
    products: np.ndarray
    """Inner products (Frobenius'): on the diagonal the squared norms."""
    output_norms: np.ndarray
    """Squared norm of the row's update, its outputs projected on those that the column's has."""
    input_norms: np.ndarray
    """The same with its inputs projected on those that the column's reads."""
    both_norms: np.ndarray
    """The same with both sides projected."""


@dataclass(frozen=True)
class Ablation:
    """A direction of hidden states that is taken out: every state gets the same component."""

    direction: np.ndarray
    """Of shape (width,); its length does not matter."""
    value: float = 0.0
    """The component along the direction of length 1 that all states get."""
