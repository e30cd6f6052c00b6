"""How alike two texts are, as the tokens they are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def resemblance(one: Sequence[int], other: Sequence[int]) -> float:
    """Tokens in common as a share of the tokens of both, in [0, 1], each as often as it is there.

    Jaccard's coefficient (1912) of bags: 1 of equal texts, and of two empty ones.
    """
    first, second = Counter(one), Counter(other)
    both = (first | second).total()
    return (first & second).total() / both if both else 1.0
