"""Common beginnings of prompts, each to be read once for all that begin so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from caveat.backends.local.models.packing import in_common
from caveat.backends.local.sampling.requests import Prompt

SHORTEST_SHARED = 4
"""Tokens from which on a common beginning is read by itself."""
ALONE = 4
"""Tokens of a prompt that shares nothing, read with the beginnings: attention wants some."""
A_RUN = 2.0
"""Tokens that a beginning of its own costs beside its tokens: padding, mostly."""


@dataclass
class Bundle:
    """Neighbouring prompts of one cell with a common beginning."""

    cell: int
    shared: tuple[int, ...]
    members: list[int]


def distinct(prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[int]]:
    """The first of each run of equal prompts of a cell, and per prompt the place of its first."""
    firsts: list[Prompt] = []
    first_of = []
    for prompt in prompts:
        if not firsts or (firsts[-1].cell, firsts[-1].ids) != (prompt.cell, prompt.ids):
            firsts.append(prompt)
        first_of.append(len(firsts) - 1)
    return firsts, first_of


def bundles(prompts: Sequence[Prompt]) -> list[Bundle]:
    """Cut sorted prompts into bundles so that the fewest tokens are read, beginnings once.

    Each prompt keeps at least one token of its own.
    """
    found: list[Bundle] = []
    for cell, some in groupby(range(len(prompts)), key=lambda i: prompts[i].cell):
        members = list(some)
        ids = [prompts[i].ids for i in members]
        for start, end, shared in _cuts(ids):
            found.append(Bundle(cell, ids[start][:shared], members[start:end]))
    return found


def _cuts(ids: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """Runs of neighbours as (first, end, tokens shared): a run of n that shares s saves s (n - 1).

    The best by dynamic programming: the best runs before `end` are those before the last one's
    start, and that one.
    """
    common = [0, *(in_common(a, b) for a, b in pairwise(ids))]
    best: list[tuple[float, int, int]] = [(0.0, 0, 0)]
    best += [(float("-inf"), 0, 0)] * len(ids)
    for start, first in enumerate(ids):
        alone = min(len(first) - 1, ALONE)
        best[start + 1] = max(best[start + 1], (best[start][0] - A_RUN, start, alone))
        shared = len(first) - 1
        for end in range(start + 2, len(ids) + 1):
            shared = min(shared, common[end - 1], len(ids[end - 1]) - 1)
            if shared < SHORTEST_SHARED:
                break
            saved = best[start][0] + shared * (end - start - 1) - A_RUN
            best[end] = max(best[end], (saved, start, shared))
    cuts, end = [], len(ids)
    while end:
        _, start, shared = best[end]
        cuts.append((start, end, shared))
        end = start
    return cuts[::-1]
