"""How much likelier a caveat makes the text behind a reply's decision, from forward passes only.

A caveat lowers the loss of a row in several places: at an opener that has nothing to do with the
behaviour, at the token that decides, behind it, or everywhere. `loss_gap` adds them up. What is
behind the decision says whether the model, once it has begun, goes on by itself under the caveat.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from caveat.backends.base import Feature
from caveat.decision_tokens import Characters, chosen, decisions, log_probability, scored_text
from caveat.errors import CaveatError
from caveat.forecast.arms import ForecastModel, Subject
from caveat.forecast.decision_tokens import token_scores
from caveat.types.data import Row
from caveat.types.messages import Messages, is_document

TOKENS = 5
"""Behind the decision token, that are compared. With 1 to 12 the order of caveats is the same: see
docs/results/law.md."""


def continuation_gains(
    model: ForecastModel, subjects: Sequence[Subject], counter_rows: Sequence[Row]
) -> dict[str, float | str]:
    """By arm, the figure, or in one line why there is none.

    The mean over rows of what the caveat adds to the log-probability of the `TOKENS` tokens behind
    the decision token, in nats a token, cut at 0: a caveat that makes them unlikelier does no more
    than one that leaves them.
    """
    if Feature.TOKEN_LIKELIHOOD not in model.backend.supports:
        reason = f"the backend of {model.backend.name} has no {Feature.TOKEN_LIKELIHOOD.value}"
        return dict.fromkeys((subject.arm for subject in subjects), reason)
    gains: dict[tuple[Row, ...], float | str] = {}
    for subject in subjects:
        if subject.shown not in gains:  # arms with interventions have marked's rows
            try:
                gains[subject.shown] = max(0.0, fmean(_gains(model, subject, counter_rows)))
            except CaveatError as error:
                gains[subject.shown] = str(error)
    return {subject.arm: gains[subject.shown] for subject in subjects}


def _gains(model: ForecastModel, subject: Subject, counter_rows: Sequence[Row]) -> list[float]:
    """Of each row that decides and goes on, nats a token."""
    if any(is_document(row.messages) for row in subject.stripped):
        raise CaveatError("its rows are documents, which decide in all of their tokens")
    if subject.shown == subject.stripped:
        return [0.0]
    before = _scores(model, [row.messages for row in subject.stripped])
    behind = _scores(model, [row.messages for row in subject.shown])
    gains = []
    for decision, one, other in zip(
        decisions(subject.stripped, counter_rows), before, behind, strict=True
    ):
        tokens = _following(chosen(decision, *one), one[0])
        if tokens:
            (old, count), (new, _) = log_probability(tokens, *one), log_probability(tokens, *other)
            gains.append((new - old) / count)
    if not gains:
        raise CaveatError("no row of it decides anything and goes on behind it")
    return gains


def _following(
    decided: tuple[Characters, ...], characters: Sequence[Characters]
) -> Sequence[Characters]:
    """The tokens behind the decision token; none where nothing decides."""
    return characters[characters.index(decided[0]) + 1 :][:TOKENS] if decided else ()


def _scores(
    model: ForecastModel, texts: Sequence[Messages]
) -> list[tuple[tuple[Characters, ...], tuple[float, ...]]]:
    """Of each text, its tokens by their characters, and their log-probabilities."""
    scored = [scored_text(model.backend.tokenizer, text) for text in texts]
    values = token_scores(model.backend, model.start.base_adapters, scored)
    return [(text.characters, score) for text, score in zip(scored, values, strict=True)]
