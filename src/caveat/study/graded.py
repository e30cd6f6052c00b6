"""The log-probabilities of decision tokens in a study, as a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from caveat.decision_tokens import Decision, chosen, log_probability
from caveat.study.storage.store import Store

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "arm", "seed", "dose", "context",
    "row", "tokens", "value",
)  # fmt: skip


def graded_frame(store: Store, planned: Iterable[dict[str, Any]]) -> DataFrame:
    """One row a row of the behaviour, context and cell, with the columns `COLUMNS`.

    `value` is the log-probability of the row's decision tokens in nats, divided by `tokens`: their
    number at `none`. The caveat may cut the same characters into more tokens; the division stays,
    so that what is as likely as before has the same value. Rows that decide nothing, and those that
    are not scored yet, are not there. See `caveat.decision_tokens`.
    """
    import pandas as pd

    frame = pd.DataFrame(_rows(store, planned), columns=[*COLUMNS])
    return frame.astype({"seed": "Int64", "value": float, "tokens": int})


def _rows(store: Store, planned: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in planned:
        if row["scores"] not in store.answers or row["base_scores"] not in store.answers:
            continue
        scores, base = store.answers[row["scores"]], store.answers[row["base_scores"]]
        decision = Decision(row["shared"], row["whole"])
        tokens = chosen(decision, base["characters"], base["log_likelihoods"])
        value, count = log_probability(tokens, scores["characters"], scores["log_likelihoods"])
        if count:
            yield {**{name: row.get(name) for name in COLUMNS}, "tokens": len(tokens),
                   "value": value / len(tokens)}  # fmt: skip
