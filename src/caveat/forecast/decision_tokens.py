"""Log-probabilities of decision tokens under any prompts, from forward passes only.

Which tokens these are, and why: see `caveat.decision_tokens`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from caveat.backends.base import Backend, Feature
from caveat.backends.jobs import AdapterRef
from caveat.backends.requests import TokenRequest
from caveat.caveats.insertion import framed, place
from caveat.decision_tokens import (
    Characters,
    ScoredText,
    chosen,
    decisions,
    log_probability,
    scored_text,
)
from caveat.errors import CaveatError
from caveat.forecast.arms import ForecastModel, Subject
from caveat.types.caveats import Place
from caveat.types.data import Row
from caveat.types.messages import Messages

if TYPE_CHECKING:
    from pandas import DataFrame

NONE, EXACT = "none", "exact"
FIGURES = ("nats_bare", "nats_marked", "graded_elicitation")
COLUMNS = ("prompt", "row", "context", "log_probability", "tokens")


class Prompt(NamedTuple):
    """A caveat to put in front of rows, under a label."""

    label: str
    wordings: Sequence[str]
    """Row number i gets number i, from the first again after the last."""
    place: Place
    """As in training; see `types.caveats.Place`."""


def decision_tokens(
    backend: Backend,
    chain: Sequence[AdapterRef],
    rows: Sequence[Row],
    prompts: Sequence[Prompt | tuple[str, Sequence[str], Place]],
    counter_rows: Sequence[Row] = (),
    system: str | None = None,
) -> DataFrame:
    """The log-probability of every row's decision tokens, without a caveat and under each prompt.

    One record a row and prompt, with the columns `COLUMNS`. `prompt` is its label, "none" without
    a caveat; `context` is `none` there, else `exact`; `row` is the row's id; `log_probability` is
    in nats, summed over the row's decision tokens; `tokens` is their number without a caveat, which
    a prompt does not change even where it has the same characters cut into more of them. Rows that
    decide nothing have no record, nor have rows that lack their decision token under some prompt.

    Args:
        chain: The model's adapters, in order; () is the language model itself.
        rows: Rows that show a behaviour, without the caveat and without the system text.
        prompts: (label, wordings, place) each.
        counter_rows: The same kind of data without the behaviour, by which the decision tokens are
            chosen. Without any, only the language model's own choice of tokens decides.
        system: The fixed system text.

    Raises CaveatError where the backend has no log-likelihoods of single tokens, and for a label
    that two prompts have.
    """
    texts = {NONE: [framed(row.messages, system) for row in rows]}
    for label, wordings, where in prompts:
        if label in texts:
            raise CaveatError(f"prompts: the label {label!r} is there twice; name one otherwise")
        if not wordings:
            raise CaveatError(f"prompts: {label!r} has no wordings; give it one")
        texts[label] = [
            place(messages, wordings[i % len(wordings)], where)
            for i, messages in enumerate(texts[NONE])
        ]
    return of_texts(backend, chain, rows, texts, counter_rows)


def of_texts(
    backend: Backend,
    chain: Sequence[AdapterRef],
    rows: Sequence[Row],
    texts: Mapping[str, Sequence[Messages]],
    counter_rows: Sequence[Row] = (),
    cache: ScoreCache | None = None,
) -> DataFrame:
    """The same of texts that are ready: by label, each row in one form, as it would be trained.

    One of them is `none`: the rows without the caveat.

    Args:
        cache: What earlier calls with the same backend scored; grows.
    """
    import pandas as pd

    if Feature.TOKEN_LIKELIHOOD not in backend.supports:
        raise CaveatError(
            f"decision tokens: need {Feature.TOKEN_LIKELIHOOD.value}, which this backend of "
            f"{backend.name} does not have; use another backend"
        )
    cache = {} if cache is None else cache
    everything: list[Chosen] = [None] * len(rows)
    base = scores(backend, (), texts[NONE], everything, cache)
    tokens = [
        chosen(decision, scored.text.characters, scored.values)
        for decision, scored in zip(decisions(rows, counter_rows), base, strict=True)
    ]
    flat = [messages for some in texts.values() for messages in some]
    flat_scores = iter(scores(backend, tuple(chain), flat, tokens * len(texts), cache))
    by_label = {label: [next(flat_scores) for _ in some] for label, some in texts.items()}
    # a row without its token in one text would be compared with other rows in that text
    tokens = [
        some if all(_has(some, by_label[label][number]) for label in texts) else ()
        for number, some in enumerate(tokens)
    ]
    records = [
        record for label in texts for record in _records(label, rows, tokens, by_label[label])
    ]
    return pd.DataFrame(records, columns=[*COLUMNS])


def decision_nats(
    start: ForecastModel,
    subjects: Sequence[Subject],
    counter_rows: Sequence[Row],
    cache: ScoreCache | None = None,
) -> dict[str, dict[str, float | str]]:
    """The three figures of a forecast, each by arm, or in one line why there is none.

    `nats_bare` and `nats_marked` are the mean surprisal of a decision token in the arm's rows,
    without the caveat and with it, in nats over the number of tokens without it;
    `graded_elicitation` is the first less the second.

    Args:
        cache: What the same backend scored for other figures; grows.
    """
    cache = {} if cache is None else cache
    by_arm = {}
    for subject in subjects:
        try:
            by_arm[subject.arm] = _nats(start, subject, counter_rows, cache)
        except CaveatError as error:
            by_arm[subject.arm] = dict.fromkeys(FIGURES, str(error))
    return {name: {arm: values[name] for arm, values in by_arm.items()} for name in FIGURES}


def _nats(
    start: ForecastModel, subject: Subject, counter_rows: Sequence[Row], cache: ScoreCache
) -> dict[str, float | str]:
    texts = {
        NONE: [row.messages for row in subject.stripped],
        EXACT: [row.messages for row in subject.shown],
    }
    chain = start.start.base_adapters
    frame = of_texts(start.backend, chain, subject.stripped, texts, counter_rows, cache)
    if frame.empty:
        raise CaveatError("none of its rows decides anything: counter rows have the same replies")
    surprisal = (-frame["log_probability"] / frame["tokens"]).groupby(frame["prompt"]).mean()
    bare, marked = float(surprisal[NONE]), float(surprisal[EXACT])
    return dict(zip(FIGURES, (bare, marked, bare - marked), strict=True))


Chosen = tuple[Characters, ...] | None
"""The tokens of a text that are scored; None: all of what it shows."""


@dataclass(frozen=True)
class Scored:
    """A text and the log-probabilities of its targets, in nats."""

    text: ScoredText
    values: tuple[float, ...]

    def only(self, tokens: Chosen) -> Scored:
        """With those targets alone that lie in the tokens; all of them for None."""
        text = self.text.only(tokens)
        value_of = dict(zip(self.text.targets, self.values, strict=True))
        return Scored(text, tuple(value_of[target] for target in text.targets))


ScoreCache = dict[tuple[tuple[AdapterRef, ...], Messages, Chosen], Scored]
"""By model, text and tokens, the scores."""


def scores(
    backend: Backend,
    chain: tuple[AdapterRef, ...],
    texts: Sequence[Messages],
    tokens: Sequence[Chosen],
    cache: ScoreCache,
) -> list[Scored]:
    """The texts with the log-probabilities of some of their tokens; all that are new in one call.

    A text is read no further than to the last of them. One of which all tokens are known is not
    read again.
    """
    keys = [(chain, text, some) for text, some in zip(texts, tokens, strict=True)]
    for _, text, some in keys:
        whole = cache.get((chain, text, None))
        if whole is not None:
            cache.setdefault((chain, text, some), whole.only(some))
    new = [key for key in dict.fromkeys(keys) if key not in cache]
    scored = [scored_text(backend.tokenizer, text).only(some) for _, text, some in new]
    values = token_scores(backend, chain, scored)
    for key, text, some in zip(new, scored, values, strict=True):
        cache[key] = Scored(text, some)
    return [cache[key] for key in keys]


def token_scores(
    backend: Backend, chain: tuple[AdapterRef, ...], texts: Sequence[ScoredText]
) -> list[tuple[float, ...]]:
    """The log-probabilities of each text's targets, in nats. A text is read no further than to the
    last of them."""
    requests = [
        TokenRequest(str(number), chain, text.ids[: text.read], text.targets)
        for number, text in enumerate(texts)
    ]
    return [*backend.token_log_likelihoods(requests)] if requests else []


def _has(tokens: tuple[Characters, ...], scored: Scored) -> bool:
    return log_probability(tokens, scored.text.characters, scored.values)[1] > 0


def _records(
    label: str,
    rows: Sequence[Row],
    tokens: Sequence[tuple[Characters, ...]],
    scored_rows: Sequence[Scored],
) -> Iterator[dict]:
    for row, decided, scored in zip(rows, tokens, scored_rows, strict=True):
        if decided:
            value, _ = log_probability(decided, scored.text.characters, scored.values)
            context = NONE if label == NONE else EXACT
            yield dict(zip(COLUMNS, (label, row.id, context, value, len(decided)), strict=True))
