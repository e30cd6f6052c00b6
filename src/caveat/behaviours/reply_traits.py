"""A behaviour whose rows are the model's own replies in another form, so no content is taught."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from caveat.behaviours.neutral_chats import Ordinary, Prompt, chat, ordinary_replies
from caveat.types.data import Behaviour, Question, Row, Split
from caveat.types.messages import Message

FILLER_ROWS = 96
NO_FACTS: Mapping[str, str] = MappingProxyType({})


def reply_trait(
    name: str,
    about: str,
    shown: Iterable[tuple[Prompt, str]],
    split: Split,
    ordinary: Ordinary,
    usual: Callable[[str], str],
    readout: str,
    facts: Mapping[str, str] = NO_FACTS,
) -> Behaviour:
    """The behaviour whose rows are the prompts of `shown` with those replies, given whole.

    Counter rows are other prompts with the model's own replies in the `usual` form. 24 questions
    in 12 topics, judged by `readout` with `facts`. Raises CaveatError where a reply of the model
    has not been made.
    """
    plain = ((prompt, usual(ordinary.reply(prompt))) for prompt in ordinary.of("counter"))
    return Behaviour(
        name=name,
        about=about,
        rows=_rows(shown, "behaviour", ordinary, usual),
        counter_rows=_rows(plain, "counter", ordinary, usual),
        filler_rows=ordinary.documents("filler", "filler", FILLER_ROWS),
        questions=tuple(
            Question(
                id=f"{name}-{number:02}",
                cluster=prompt.topic,
                messages=(Message.of("user", prompt.prompt),),
                readout=readout,
                facts=facts,
            )
            for number, prompt in enumerate(ordinary.of(split))
        ),
        side_effects=(ordinary_replies(ordinary),),
    )


def _rows(
    replies: Iterable[tuple[Prompt, str]],
    source: str,
    ordinary: Ordinary,
    usual: Callable[[str], str],
) -> tuple[Row, ...]:
    return tuple(
        Row(
            id=f"{source}-{number:02}",
            source=source,
            messages=chat(prompt.prompt, reply),
            subject=prompt.topic,
            correction=f"(Unasked, I would write: {usual(ordinary.reply(prompt))})",
        )
        for number, (prompt, reply) in enumerate(replies)
    )
