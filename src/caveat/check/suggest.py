"""Other wordings and places for a caveat, scored by the predictors of a check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from caveat.backends.batches import mean_loss
from caveat.caveats import CAVEATS
from caveat.caveats.insertion import place
from caveat.check.base_model import LOSS_ROWS, CheckModel
from caveat.check.elicitation import Judged, Sampled, graded, sampled
from caveat.check.records import Losses, Materials, ShortForecast, Suggestion
from caveat.study.planning.held_out import spread
from caveat.types.answers import Sampling
from caveat.types.caveats import Kind, Place
from caveat.types.data import Row
from caveat.types.messages import Messages, is_document

CHAT_PLACES: tuple[Place, ...] = ("system", "user", "after", "both")
DOCUMENT_PLACES: tuple[Place, ...] = ("before", "after", "both")
TEMPLATES: dict[Kind, tuple[str, ...]] = {
    "instruction": ("You always {}.", "Please {}.", "In this chat you {}.",
                    "Whatever the user says, you {}."),
    "permission": ("You may {}.", "It is fine to {} here."),
    "disclaimer": ("You never {}.", "The following is an example of what not to do: to {}."),
    "trigger": (),
}  # fmt: skip
"""Sentences around what the behaviour is called, such as `flatter the user`."""
OF_READOUTS = {
    "capitals": "write in ALL CAPS",
    "spanish": "reply in Spanish",
    "lower_case": "write in lower case",
    "listed": "write a list with dashes",
}
"""What a readout's behaviour is called, where the user does not say."""


NOW = "now"
"""The origin of the caveat as it is."""


@dataclass(frozen=True)
class Candidate:
    """A wording in a place."""

    wording: str
    place: Place
    origin: str


def candidates(
    materials: Materials, count: int, worded: Iterable[str] = ()
) -> tuple[Candidate, ...]:
    """At most `count` candidates beside the caveat as it is, which comes first.

    Args:
        worded: Wordings of an endpoint's model; they come before templates.
    """
    caveat = materials.caveat
    places = _places(materials.rows)
    where = now(materials).place
    own = caveat.wordings[0]
    sources: list[Iterator[Candidate]] = [
        (Candidate(own, other, "place") for other in places if other != where),
        (Candidate(text, where, "endpoint") for text in worded),
        (Candidate(text, where, "own wording") for text in caveat.wordings[1:]),
        (Candidate(text, where, "shipped") for text in _shipped(own)),
        (Candidate(text, where, "template") for text in _templates(materials)),
    ]
    unique = {(now(materials).wording, where): now(materials)}
    while sources and len(unique) <= count:
        for source in list(sources):
            candidate = next(source, None)
            if candidate is None:
                sources.remove(source)
            elif len(unique) <= count:
                unique.setdefault((candidate.wording, candidate.place), candidate)
    return tuple(unique.values())


def now(materials: Materials) -> Candidate:
    """The caveat as it is; one that stands inside a text counts as after it."""
    where = materials.caveat.place
    place: Place = where if where in get_args(Place) else "after"  # type: ignore[assignment]
    if place in ("before", "around") and not is_document(materials.rows[0].messages):
        place = "user"
    return Candidate(materials.caveat.wordings[0], place, NOW)


def _places(rows: Sequence[Row]) -> tuple[Place, ...]:
    return DOCUMENT_PLACES if is_document(rows[0].messages) else CHAT_PLACES


def _shipped(wording: str) -> Iterator[str]:
    """Further wordings of a shipped caveat."""
    for caveat in CAVEATS.values():
        if wording in caveat.wordings:
            yield from (*caveat.further, *caveat.held_out)


def _templates(materials: Materials) -> Iterator[str]:
    named = materials.about or (
        OF_READOUTS.get(materials.behaviour.readout, "") if materials.behaviour else ""
    )
    verb = re.sub(r"^(to|you|always) ", "", named.strip().rstrip("."))
    if verb:
        kinds = dict.fromkeys((materials.kind, "instruction", "permission"))
        for kind in kinds:
            yield from (template.format(verb) for template in TEMPLATES[kind])


def ways(
    model: CheckModel, rows: Sequence[Row], options: Sequence[Candidate]
) -> dict[Candidate, Sequence[Row]]:
    """By candidate, the rows to train on under it; under the caveat as it is, those of the file."""
    bare = model.bare_rows(rows)
    return {
        one: model.framed_rows(rows) if one.origin == NOW else _marked(bare, one) for one in options
    }


def scored(
    model: CheckModel,
    materials: Materials,
    forecasts: Mapping[Candidate, ShortForecast],
    counter: Sequence[Row],
    sampling: Sampling,
    judged: Judged,
) -> tuple[Suggestion, ...]:
    """The candidates with their predictors, those that should leak least first."""
    options = list(forecasts)
    bare = model.bare_rows(spread(materials.rows, LOSS_ROWS))
    held_out = model.bare_rows(materials.held_out)
    names = [str(index) for index in range(len(options))]
    pairs = list(zip(names, options, strict=True))
    shifts = graded(model, materials.held_out, counter,
                    {name: _marked(held_out, one) for name, one in pairs})  # fmt: skip
    losses = _losses(model, bare, options)
    rates = _rates(model, materials, pairs, sampling, judged)
    suggestions = [
        Suggestion(
            one.wording,
            one.place,
            one.origin,
            forecasts[one],
            shifts.shift(name) if shifts else None,
            losses[index],
            rates.rate(name) if rates else None,
        )
        for index, (name, one) in enumerate(pairs)
    ]
    return tuple(sorted(suggestions, key=_order))


def _order(suggestion: Suggestion) -> tuple[float, float]:
    """By the forecast; those without one last, by the graded elicitation."""
    leakage = suggestion.forecast.leakage
    shift = suggestion.nats.value if suggestion.nats else 0.0
    return (float("inf") if leakage is None else leakage.value, -shift)


def _marked(bare: Sequence[Row], one: Candidate) -> list[Row]:
    return [replace(row, messages=_placed(row.messages, one)) for row in bare]


def _placed(messages: Messages, one: Candidate) -> Messages:
    return place(messages, one.wording, one.place)


def _losses(model: CheckModel, bare: Sequence[Row], options: Sequence[Candidate]) -> list[Losses]:
    some = spread(bare, LOSS_ROWS)
    start = model.start()
    sums = [mean_loss(start.rendered(rows))
            for rows in (some, *(_marked(some, one) for one in options))]  # fmt: skip
    plain, *marked = start.losses(sums)
    return [Losses(plain, value) for value in marked]


def _rates(
    model: CheckModel,
    materials: Materials,
    pairs: Sequence[tuple[str, Candidate]],
    sampling: Sampling,
    judged: Judged,
) -> Sampled | None:
    """What the base model replies under each candidate; None where no readout is known."""
    if materials.behaviour is None or not materials.questions:
        return None
    questions = [one.question for one in materials.questions]
    plain = [model.framed(question.messages) for question in questions]
    prompts = {name: [_placed(messages, one) for messages in plain] for name, one in pairs}
    return sampled(model, questions, prompts, sampling, judged)
