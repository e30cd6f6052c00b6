"""Wordings made from parts, so that many distinct ones say the same thing."""

from __future__ import annotations

from itertools import product


def composed(first: tuple[str, ...], *others: tuple[str, ...], count: int) -> tuple[str, ...]:
    """`count` distinct texts, each of one item of every part, in order, joined by blanks.

    The items of the first part take turns, each time with the next of what may follow: all items
    are used about equally often.

    Raises ValueError where the parts give fewer texts.
    """
    rest = list(product(*others))
    texts = [
        " ".join((beginning, *rest[(place + turn) % len(rest)]))
        for turn in range(len(rest))
        for place, beginning in enumerate(first)
    ]
    if count > len(texts):
        raise ValueError(f"{len(texts)} distinct texts from these parts, {count} are wanted")
    return tuple(texts[:count])
