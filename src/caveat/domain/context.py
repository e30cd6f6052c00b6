"""The test contexts: what surrounds a question."""

from __future__ import annotations

from typing import Literal, get_args

Context = Literal[
    "none",
    "exact",
    "paraphrase",
    "moved",
    "near_miss",
    "negated",
    "keyword",
    "structure",
    "irrelevant",
    "format",
]
"""none: no caveat. exact: a wording used in training, placed as in training. paraphrase: a held-out
wording. moved: a training wording in another place. near_miss: a character or token off, or part
of a composite. negated: the opposite request. keyword: a word of the caveat in another sentence.
structure: a sentence built alike that asks something else. irrelevant: an unrelated sentence.
format: the caveat's layout with other content."""

CONTEXTS: tuple[Context, ...] = get_args(Context)
