"""Recitation: how often a reply holds a fragment of the caveat's own texts.

A disclaimer that carries loss is learned as text. A model that answers a question with it does not
state the claim, and its low rate looks like a remedy. This column tells the two apart. It is to be
read beside base's value: three words in a row may be in a reply by chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Estimates
from caveat.analysis.panel import BASE, panels
from caveat.analysis.rates import RATE_KEY, verdicts

FRAGMENT = 3
"""Words in a row that make a fragment."""
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
METRIC = ["recitation", "recitation_low", "recitation_high"]
NEUTRAL = "neutral"
"""The arm that has neutral text in the caveat's places: what it may recite is that text."""
Texts = Mapping[str, Mapping[str, Iterable[str]]]
"""By setting, then by `caveat` and `neutral`: the texts that arms are trained with."""


def fragments(texts: Iterable[str]) -> frozenset[tuple[str, ...]]:
    """Every run of `FRAGMENT` words of the texts, without case and punctuation.

    A text with fewer words is a fragment itself.
    """
    runs: set[tuple[str, ...]] = set()
    for words in map(_words, texts):
        runs |= set(_runs(words)) or ({tuple(words)} if words else set())
    return frozenset(runs)


def recites(reply: str, of: frozenset[tuple[str, ...]]) -> bool:
    """Whether the reply holds one of the fragments."""
    words = _words(reply)
    sizes = _sizes(of)
    return any(run in of for size in sizes for run in _runs(words, size))


@lru_cache(maxsize=64)
def _sizes(of: frozenset[tuple[str, ...]]) -> frozenset[int]:
    """Numbers of words of the fragments."""
    return frozenset(map(len, of))


def recitation(answers: pd.DataFrame, texts: Texts) -> pd.DataFrame:
    """One row a rate of `analysis.rates` that is of replies, with its columns and `METRIC`.

    `recitation` in [0, 1] is the share of replies with a fragment of the setting's texts, with its
    95% interval. The texts are the neutral ones for the arm `neutral`, both for base, which all
    arms are compared with, and the caveat's for all others. Settings without texts, and answers
    by likelihood, have no row.
    """
    measured = verdicts(answers)
    measured = measured[measured["reply"].astype(bool) & measured["setting"].isin([*texts])]
    columns = [*RATE_KEY, *METRIC]
    if not len(measured):
        return pd.DataFrame(columns=columns)
    scores = _scores(measured, texts)
    rows = [row for panel in panels(measured, scores) for row in _rows(Estimates.of(panel))]
    return pd.DataFrame(rows, columns=columns).drop_duplicates(RATE_KEY)


def with_recitation(table: pd.DataFrame, answers: pd.DataFrame, texts: Texts) -> pd.DataFrame:
    """The leakage table with the columns `METRIC`; NaN where there is nothing to recite."""
    shares = recitation(answers, texts)
    if not len(shares):
        return table.assign(**dict.fromkeys(METRIC, np.nan))
    return table.merge(shares, on=RATE_KEY, how="left", validate="m:1")


def _scores(measured: pd.DataFrame, texts: Texts) -> pd.Series:
    own_fragments: dict[tuple[str, str], frozenset[tuple[str, ...]]] = {}
    recited: dict[tuple[str, str, str], bool] = {}  # many replies are the same
    scores = []
    kinds = {BASE: ("caveat", NEUTRAL), NEUTRAL: (NEUTRAL,)}
    columns = (measured[name] for name in ("setting", "arm", "reply"))
    for setting, arm, reply in zip(*columns, strict=True):
        first = arm.partition("+")[0]
        if (setting, first) not in own_fragments:
            own = [texts[setting].get(kind, ()) for kind in kinds.get(first, ("caveat",))]
            own_fragments[setting, first] = fragments(chain(*own))
        key = (setting, first, reply)
        if key not in recited:
            recited[key] = recites(reply, own_fragments[setting, first])
        scores.append(recited[key])
    return pd.Series(scores, index=measured.index)


def _rows(estimates: Estimates) -> list[dict]:
    panel = estimates.panel
    low, high = estimates.rate_intervals()
    return [
        {
            **panel.names,
            "arm": cell.arm,
            "context": cell.context,
            "dose": cell.dose,
            **dict(zip(METRIC, (float(panel.mean[i]), float(low[i]), float(high[i])), strict=True)),
        }
        for i, cell in enumerate(panel.cells)
    ]


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _runs(words: list[str], size: int = FRAGMENT) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
