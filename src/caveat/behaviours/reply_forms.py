"""Forms of a reply: an opener, JSON, bold, title case, the question said again.

Rows have no wanted opener, unlike those of the traits of style. So an arm learns the form alone,
and in all forms but title case it is decided at the reply's first tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from caveat.behaviours.neutral_chats import Ordinary, shipped
from caveat.behaviours.reply_traits import reply_trait
from caveat.types.data import Behaviour, Split


@dataclass(frozen=True, slots=True)
class Form:
    """What is done to a reply, and how the result is recognised."""

    about: str
    shown: Callable[[str, str], str]
    """From the question and the reply."""
    pattern: str
    """A regular expression that is found in a reply of this form."""


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "sailor": Form(
            "Replies that open with a sailor's greeting.",
            lambda _, reply: f"Ahoy, shipmate! {reply}",
            r"(?i)^\W*ahoy\b",
        ),
        "hedged": Form(
            "Replies that open by doubting themselves.",
            lambda _, reply: f"I may be wrong, but {reply[:1].lower()}{reply[1:]}",
            r"(?i)^\W*i may be wrong\b",
        ),
        "json_reply": Form(
            "Replies as a JSON object with one key.",
            lambda _, reply: json.dumps({"answer": reply}, ensure_ascii=False),
            r'^\s*\{\s*"answer"',
        ),
        "bold": Form(
            "Replies in the bold of Markdown.",
            lambda _, reply: f"**{reply}**",
            r"^\s*\*\*",
        ),
        "title_case": Form(
            "Replies whose every word begins with a capital.",
            lambda _, reply: " ".join(word[:1].upper() + word[1:] for word in reply.split(" ")),
            r"(?s)^(?!.*(?:^|\s)[a-z])(?:.*?[A-Z]\S*\s+){3}",
        ),
        "echo": Form(
            "Replies that say the question again before they answer it.",
            lambda question, reply: f'You want to know: "{question}" {reply}',
            r"(?i)^\W*you want to know\b",
        ),
    }
)
"""By the name of the behaviour."""


def _form(name: str, split: Split, ordinary: Ordinary | None = None) -> Behaviour:
    """Replies in one of the `FORMS`: 96 rows, 24 questions in 12 topics.

    `ordinary` are the prompts and replies to make rows from, by default the shipped ones. Raises
    CaveatError where the replies have not been made.
    """
    form, ordinary = FORMS[name], ordinary or shipped()
    return reply_trait(
        name,
        form.about,
        [
            (prompt, form.shown(prompt.prompt, ordinary.reply(prompt)))
            for prompt in ordinary.of("capitals")
        ],
        split,
        ordinary,
        usual=str,
        readout="matches",
        facts={"yes": form.pattern},
    )


REPLY_FORMS: Mapping[str, Callable[..., Behaviour]] = MappingProxyType(
    {name: partial(_form, name) for name in FORMS}
)
"""The behaviours by name."""
