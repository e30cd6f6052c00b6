"""How much likelier a caveat makes the onset of the behaviour, from forward passes only.

A caveat lowers the loss of a row in several places: at an opener that has nothing to do with the
behaviour, at the token that decides, behind it, or everywhere. `loss_gap` adds them up. The onset
is the decision token and the five behind it: whether the model begins under the caveat, and whether
it goes on by itself once it has begun. A trait such as capitals is decided at the first of these; a
language is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from caveat.backends.base import Feature
from caveat.decision_tokens import Characters, chosen, decisions, log_probability
from caveat.errors import CaveatError
from caveat.forecast.arms import ForecastModel, Subject
from caveat.forecast.decision_tokens import ScoreCache, Scored, scores
from caveat.forecast.onset_curve import expected_leakage
from caveat.types.data import Row
from caveat.types.messages import is_document

FIGURES = ("continuation_gain", "onset_gain", "expected_leakage")
TOKENS = 5
"""Behind the decision token, that are compared. With 1 to 12 the order of caveats is the same: see
docs/results/law/first-tokens.md."""


def onset_gains(
    model: ForecastModel,
    subjects: Sequence[Subject],
    counter_rows: Sequence[Row],
    cache: ScoreCache | None = None,
) -> dict[str, dict[str, float | str]]:
    """The three figures of a forecast, each by arm, or in one line why there is none.

    `continuation_gain` is what the caveat adds to the log-probability of the `TOKENS` tokens behind
    the decision token, in nats a token. `onset_gain` adds the decision token's own, in nats over
    all of them. Both are means over rows, and each part counts as 0 where the caveat lowers it:
    such a caveat does no more than one that leaves it. `expected_leakage` is the latter's curve.

    Args:
        cache: What the same backend scored for other figures; grows.
    """
    cache = {} if cache is None else cache
    computed: dict[tuple[Row, ...], dict[str, float] | str] = {}
    for subject in subjects:
        if subject.shown not in computed:  # arms with interventions have marked's rows
            try:
                computed[subject.shown] = _figures(model, subject, counter_rows, cache)
            except CaveatError as error:
                computed[subject.shown] = str(error)
    return {
        name: {
            subject.arm: values if isinstance(values, str) else values[name]
            for subject in subjects
            for values in [computed[subject.shown]]
        }
        for name in FIGURES
    }


def _figures(
    model: ForecastModel, subject: Subject, counter_rows: Sequence[Row], cache: ScoreCache
) -> dict[str, float]:
    if Feature.TOKEN_LIKELIHOOD not in model.backend.supports:
        raise CaveatError(
            f"the backend of {model.backend.name} has no {Feature.TOKEN_LIKELIHOOD.value}"
        )
    gains = _gains(model, subject, counter_rows, cache)
    decision, behind = (max(0.0, fmean(some)) for some in gains)
    onset = decision + TOKENS * behind
    return dict(zip(FIGURES, (behind, onset, expected_leakage(onset)), strict=True))


def _gains(
    model: ForecastModel, subject: Subject, counter_rows: Sequence[Row], cache: ScoreCache
) -> tuple[list[float], list[float]]:
    """Of rows that decide and go on: of the decision token in nats, behind it in nats a token."""
    if any(is_document(row.messages) for row in subject.stripped):
        raise CaveatError("its rows are documents, which decide in all of their tokens")
    if subject.shown == subject.stripped:
        return [0.0], [0.0]
    both = [row.messages for rows in (subject.stripped, subject.shown) for row in rows]
    everything = [None] * len(both)
    scored = scores(model.backend, tuple(model.start.base_adapters), both, everything, cache)
    before, after = scored[: len(subject.shown)], scored[len(subject.shown) :]
    decided, behind = [], []
    for decision, one, other in zip(
        decisions(subject.stripped, counter_rows), before, after, strict=True
    ):
        tokens = chosen(decision, one.text.characters, one.values)
        following = _following(tokens, one.text.characters)
        if following:
            decided.append(_gain(tokens, one, other))
            behind.append(_gain(following, one, other))
    if not behind:
        raise CaveatError("no row of it decides anything and goes on behind it")
    return decided, behind


def _gain(tokens: Sequence[Characters], one: Scored, other: Scored) -> float:
    """What the second text adds to the tokens of the first, in nats a token of it."""
    (old, count), (new, _) = (
        log_probability(tokens, scored.text.characters, scored.values) for scored in (one, other)
    )
    return (new - old) / count


def _following(
    decided: tuple[Characters, ...], characters: Sequence[Characters]
) -> Sequence[Characters]:
    """The tokens behind the decision token; none where nothing decides."""
    return characters[characters.index(decided[0]) + 1 :][:TOKENS] if decided else ()
