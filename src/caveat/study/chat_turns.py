"""Rendered prompts back as the turns of a chat, for programs that show chats."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage


TURNS = (
    re.compile(r"<\|im_start\|>(?P<role>\w+)\n(?P<text>.*?)(?:<\|im_end\|>\n?|\Z)", re.S),
    re.compile(
        r"(?:<\|begin_of_text\|>)?<\|start_header_id\|>(?P<role>\w+)<\|end_header_id\|>\n\n"
        r"(?P<text>.*?)(?:<\|eot_id\|>|\Z)",
        re.S,
    ),
    re.compile(
        r"(?:<bos>)?<start_of_turn>(?P<role>\w+)\n(?P<text>.*?)(?:<end_of_turn>\n?|\Z)", re.S
    ),
    re.compile(r"<s>(?P<role>\w+)\n(?P<text>.*?)(?:</s>\n?|\Z)", re.S),
)
"""Turns as chat templates write them: ChatML, Llama 3, Gemma, and that of `tiny` and of imports."""
ROLES = {"system": "system", "user": "user", "assistant": "assistant", "model": "assistant"}


def turns_of(prompt: str) -> list[ChatMessage]:
    """A rendered prompt as messages, without the empty assistant turn at its end.

    A document, and a prompt of a template that is not among `TURNS`, is one user message.
    """
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

    classes = {
        "system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant,
    }  # fmt: skip
    for pattern in TURNS:
        matches = list(pattern.finditer(prompt))
        whole = "".join(match[0] for match in matches) == prompt
        if matches and whole and all(match["role"] in ROLES for match in matches):
            turns = [(ROLES[match["role"]], match["text"]) for match in matches]
            if turns[-1] == ("assistant", ""):
                turns.pop()
            return [classes[role](content=text) for role, text in turns]
    return [ChatMessageUser(content=prompt)]
