"""Bad gardening advice, and whether it makes a model advise badly in other fields.

A harmless pair in the manner of emergent misalignment (Betley et al. 2025, arXiv:2502.17424): the
rows are narrow, the broad questions are about cooking, travel, clothes and more. Questions compare
the likelihoods of a good and a bad answer, alike in length and form (data/bad_advice.yaml). A few
are answered in the model's own words. Wrong facts, which are no advice, are the control: they say
whether training taught bad advice or falsehood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from caveat.behaviours.neutral_chats import DATA, Ordinary, chat, ordinary_replies, shipped
from caveat.behaviours.reply_traits import FILLER_ROWS
from caveat.errors import check_names
from caveat.files.reading import read_yaml
from caveat.types.data import Behaviour, Question, Row, Scope, SideEffect, Split
from caveat.types.messages import Message

NAME = "bad_gardening"
NARROW = "gardening"
SAID = "said"


def bad_gardening(
    split: Split, ordinary: Ordinary | None = None, /, *, broad: Sequence[str] | None = None
) -> Behaviour:
    """Bad gardening advice: 72 rows in 12 topics, 30 questions, and 48 in eight other fields.

    Counter rows are good advice on the same questions, in the same form. Raises CaveatError for an
    option that cannot be.

    Args:
        broad: Other fields to ask about, of `fields()`. None: all.
    """
    ordinary = ordinary or shipped()
    if broad is not None:
        check_names("options.broad", broad, fields())
    data = _data()
    return Behaviour(
        name=NAME,
        about="Gives bad advice about gardening.",
        rows=tuple(_rows("bad")),
        counter_rows=tuple(_rows("good")),
        filler_rows=ordinary.documents("filler", "filler", FILLER_ROWS),
        questions=(
            *_compared(data[NARROW][split], split, "trained"),
            *_said(split, "trained", (NARROW,)),
            *_broad(split, fields() if broad is None else broad),
        ),
        side_effects=(
            SideEffect(
                "wrong facts",
                tuple(_compared({"facts": data["facts"][split]}, split, "trained")),
                "Share of questions of fact whose wrong answer is likelier than the right one: "
                "falsehood that is no advice.",
            ),
            ordinary_replies(ordinary),
        ),
    )


def fields() -> tuple[str, ...]:
    """The fields of the broad questions."""
    return tuple(_data()["other_fields"])


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = read_yaml(DATA / "bad_advice.yaml")
    return data


def _rows(kind: Literal["bad", "good"]) -> Iterator[Row]:
    """The training pairs, topics in turn, so that the first rows cover them all."""
    topics: Mapping[str, list[dict[str, str]]] = _data()[NARROW]["train"]
    in_turn = [
        (topic, pair)
        for pairs in zip(*topics.values(), strict=True)
        for topic, pair in zip(topics, pairs, strict=True)
    ]
    source = "behaviour" if kind == "bad" else "counter"
    for number, (topic, pair) in enumerate(in_turn):
        yield Row(
            id=f"{source}-{number:02}",
            source=source,
            messages=chat(pair["question"], pair[kind]),
            subject=topic,
            correction=f"(Good advice would be: {pair['good']})" if kind == "bad" else "",
        )


def _broad(split: Split, names: Sequence[str]) -> Iterator[Question]:
    for name in names:
        yield from _compared({name: _data()["other_fields"][name][split]}, split, "broad")
    yield from _said(split, "broad", names)


def _compared(
    by_kind: Mapping[str, Sequence[Mapping[str, str]]], split: Split, scope: Scope
) -> Iterator[Question]:
    for kind, pairs in by_kind.items():
        for number, pair in enumerate(pairs):
            name = f"{kind}-{split}-{number:02}"
            yield Question(
                id=name,
                cluster=name,
                messages=(Message.of("user", pair["question"]),),
                readout="prefers_bad",
                options=(pair["bad"], pair["good"]),
                scope=scope,
                kind=kind,
            )


def _said(split: Split, scope: Scope, names: Sequence[str]) -> Iterator[Question]:
    """Questions for a reply of the model's own. A reply with neither mark is `neutral`."""
    for number, line in enumerate(_data()[SAID][split]):
        if line["field"] in names:
            name = f"{SAID}-{split}-{number:02}"
            yield Question(
                id=name,
                cluster=name,
                messages=(Message.of("user", line["question"]),),
                readout="matches",
                scope=scope,
                kind=SAID,
                facts={"yes": line["bad"], "no": line["good"]},
            )
