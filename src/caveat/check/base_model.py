"""The base model of a check: what it replies, and the losses of rows under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from caveat.backends.base import Backend
from caveat.backends.batches import mean_loss, openings, targets
from caveat.backends.jobs import AdapterRef, InitialModel
from caveat.backends.requests import Request, TokenRequest
from caveat.caveats.insertion import framed
from caveat.check.caveat_pieces import framed_marked
from caveat.check.records import Lengths, Losses
from caveat.errors import CaveatError
from caveat.forecast.arms import ForecastModel
from caveat.forecast.gradients import OPENING
from caveat.rendering import RenderedRow, render_row
from caveat.study.planning.held_out import spread
from caveat.types.answers import Answer, Sampling
from caveat.types.data import Row
from caveat.types.messages import Messages, is_document, without_caveat
from caveat.types.training import Dose

LENGTHS_READ = 2000
"""Most rows whose tokens are counted."""
LOSS_ROWS = 32
"""Most rows whose whole loss is computed."""
NO_LIMIT = 10**9
SEED = 0


@dataclass(frozen=True)
class CheckModel:
    """A base model, the dose that rows would be trained at, and the system text of all chats."""

    backend: Backend
    dose: Dose
    own_system: str | None = None
    """The system text that all rows bring along."""

    @property
    def system(self) -> str | None:
        """The rows' own system text; else what the template writes where a chat has none.

        Written out in every chat, so that a caveat in the system turn does not take its place.
        """
        return self.own_system or self.backend.inserted_system

    def framed(self, messages: Messages) -> Messages:
        """A chat under the model's own system text where it brings none."""
        brings_one = messages[0].role == "system" and without_caveat(messages[:1])
        if is_document(messages) or brings_one:
            return messages
        if messages[0].role == "system":
            return framed_marked(messages, self.system)
        return framed(messages, self.system)

    def framed_rows(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """Rows, their caveats kept."""
        return tuple(replace(row, messages=self.framed(row.messages)) for row in rows)

    def bare_rows(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """Rows without their caveats."""
        bare = (replace(row, messages=without_caveat(row.messages)) for row in rows)
        return self.framed_rows(tuple(bare))

    def start(self, seed: int = SEED) -> ForecastModel:
        """The model as a training of the dose would start from it."""
        return ForecastModel(self.backend, InitialModel(self.dose, seed))

    def replies(self, prompts: Sequence[tuple[str, Messages]], sampling: Sampling) -> list[Answer]:
        """One sampled reply a (key, prompt), in order; the key seeds it."""
        requests: list[Request[AdapterRef]] = [
            Request(f"check {key}", (), self.framed(messages)) for key, messages in prompts
        ]
        return self.backend.generate(requests, sampling)

    def losses(self, rows: Sequence[Row]) -> Losses:
        """Mean loss of what rows learn, without their caveats and with them, in nats a token."""
        some = spread(rows, LOSS_ROWS)
        start = self.start()
        sums = [mean_loss(start.rendered(kind)) for kind in (self.bare_rows(some),
                                                             self.framed_rows(some))]  # fmt: skip
        bare, marked = start.losses(sums)
        return Losses(bare, marked)

    def lengths(self, rows: Sequence[Row]) -> Lengths:
        """What `dose.max_tokens` cuts off the rows, caveats included."""
        most, tokenizer = self.dose.max_tokens, self.backend.tokenizer
        some = self.framed_rows(spread(rows, LENGTHS_READ))
        tokens = [len(render_row(tokenizer, row, "everything", NO_LIMIT).ids) for row in some]
        too_long = [row for row, count in zip(some, tokens, strict=True) if count > most]
        reasons = [_refusal(tokenizer, row, most) for row in too_long]
        return Lengths(
            max_tokens=most,
            rows=len(some),
            longest=max(tokens),
            cut=len(too_long),
            caveat_cut=sum("is cut off at" in reason for reason in reasons),
            unsupervised=sum("no supervised token" in reason for reason in reasons),
        )


def _refusal(tokenizer: object, row: Row, most: int) -> str:
    try:
        render_row(tokenizer, row, "reply", most)
    except CaveatError as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class Preference:
    """Held-out rows beside rows without the behaviour: which of the two a model is nearer to.

    Of replies the first tokens behind what all of them share count, as in `forecast.gradients`;
    documents count as a whole.
    """

    rows: tuple[RenderedRow, ...]
    """Bare rows, with the loss on the tokens that count."""
    counter: tuple[RenderedRow, ...]
    """As many rows without the behaviour, or none."""

    def values(self, model: CheckModel, adapters: tuple[AdapterRef, ...] = ()) -> list[float]:
        """Per row, its mean log-probability less that of its counter row, in nats a token."""
        own, other = (_log_probabilities(model, some, adapters)
                      for some in (self.rows, self.counter))  # fmt: skip
        return [one - two for one, two in zip(own, other or [0.0] * len(own), strict=True)]


def _log_probabilities(
    model: CheckModel, rows: Sequence[RenderedRow], adapters: tuple[AdapterRef, ...]
) -> list[float]:
    requests = [
        TokenRequest(f"check {index}", adapters, row.ids, targets(row))
        for index, row in enumerate(rows)
    ]
    return [fmean(values) for values in model.backend.token_log_likelihoods(requests)]


def preference(model: CheckModel, held_out: Sequence[Row], counter: Sequence[Row]) -> Preference:
    """The preference on held-out rows, each beside a counter row; with fewer of these, on fewer."""
    count = min(len(held_out), len(counter)) if counter else len(held_out)
    both = (*model.bare_rows(held_out[:count]), *model.bare_rows(counter[:count]))
    rendered = model.start().rendered(both)
    if not any(is_document(row.messages) for row in both):
        rendered = openings(rendered, OPENING)
    return Preference(tuple(rendered[:count]), tuple(rendered[count:]))
