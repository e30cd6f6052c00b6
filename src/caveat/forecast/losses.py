"""Predictors from losses with and without the caveat, and from the similarity of prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from caveat.backends.batches import LossSum, mean_loss
from caveat.errors import CaveatError
from caveat.forecast.arms import ForecastModel, Subject
from caveat.rendering import render_prompt
from caveat.types.data import Row
from caveat.types.messages import Messages, is_document

Losses = tuple[float, float]
"""Nats a token of what shows the behaviour: without the caveat, and with it."""


def losses(model: ForecastModel, subjects: Sequence[Subject]) -> dict[str, Losses | str]:
    """By arm, the losses of its rows' replies, or of documents without caveat and masked parts.

    The same tokens count in both, whatever the training's own loss scope. In place of losses stands
    why there are none, in one line.
    """
    sums: dict[str, tuple[LossSum, LossSum] | str] = {}
    for subject in subjects:
        try:
            sums[subject.arm] = _sum(model, subject.stripped), _sum(model, subject.shown)
        except CaveatError as error:
            sums[subject.arm] = str(error)
    unique = list(dict.fromkeys(texts for both in sums.values() if isinstance(both, tuple)
                                for texts in both))  # fmt: skip
    values = dict(zip(unique, model.losses(unique), strict=True))
    return {
        arm: both if isinstance(both, str) else (values[both[0]], values[both[1]])
        for arm, both in sums.items()
    }


def _sum(model: ForecastModel, rows: Sequence[Row]) -> LossSum:
    return mean_loss(model.rendered(rows))


def similarities(model: ForecastModel, subjects: Sequence[Subject]) -> dict[str, float]:
    """By arm, how alike its rows' prompts read with and without the caveat, in [0, 1].

    Of documents, which have no prompt, the whole text: see `resemblance`.
    """
    return {
        subject.arm: fmean(
            resemblance(_read(model, one.messages), _read(model, other.messages))
            for one, other in zip(subject.shown, subject.stripped, strict=True)
        )
        for subject in subjects
    }


def _read(model: ForecastModel, messages: Messages) -> tuple[int, ...]:
    prompt = messages if is_document(messages) else messages[:-1]
    return render_prompt(model.backend.tokenizer, prompt).ids


def resemblance(one: Sequence[int], other: Sequence[int]) -> float:
    """Tokens in common as a share of the tokens of both, in [0, 1], each as often as it is there.

    Jaccard's coefficient (1912) of bags: 1 of equal texts, and of two empty ones.
    """
    first, second = Counter(one), Counter(other)
    both = (first | second).total()
    return (first & second).total() / both if both else 1.0
