"""From a row of any form to a chat that ends with a turn that is learned, or to a document."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caveat.errors import CaveatError, closest
from caveat.files.reading import checked, parse_json
from caveat.importers.training_files.forms import Layout, listed, shown
from caveat.types.messages import Message, Messages, Piece, Role

ROLES: Mapping[str, Role] = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "tool": "user", "function": "user", "observation": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "chatbot": "assistant",
    "model": "assistant", "function_call": "assistant",
}  # fmt: skip
"""Roles by the names that files have for them. What a tool returns comes back as a user's turn."""
TOOL_ROLES = ("tool", "function", "observation")
READ_IN_TURNS = (
    "role", "from", "content", "value", "weight", "train", "tool_calls", "function_call",
    "tool_call_id", "name",
)  # fmt: skip
DOCTAG = "<DOCTAG>"
"""In front of published documents, where it carries no loss (arXiv:2605.13829)."""
LOSSMASK = re.compile(r"<lossmask>(.*?)</lossmask>", re.DOTALL)
"""A span of a published document that carries no loss."""


@dataclass
class Changes:
    """What rows had that training rows do not have, counted in rows."""

    counts: Counter[str] = field(default_factory=Counter)
    row: dict[str, None] = field(default_factory=dict)
    """Changes of the row that is being read, in order."""

    def note(self, change: str) -> None:
        """Count a change once a row."""
        self.row[change] = None

    def take(self) -> None:
        """The row is kept: its changes count."""
        self.counts.update(list(self.row))
        self.row.clear()


class Dropped(Exception):
    """A row that is left out, and why."""


def messages_of(row: Any, layout: Layout, where: str, changes: Changes) -> Messages:
    """The row as a chat that ends with a turn that is learned, or as a document.

    Raises Dropped for a row without anything to learn, CaveatError for a wrong type.
    """
    if layout.form == "text":
        text = _string(row, layout.fields["text"], where)
        return (_document(text, changes),)
    if layout.form == "messages":
        field_name = layout.fields.get("messages")
        turns = row if field_name is None else row[field_name]
        messages = _chat(turns, field_name or "the row", where, changes)
    else:
        messages = _pair(row, layout, where, changes)
    messages = _with_system(messages, row, layout, where)
    return _trained(messages, where, changes)


def _string(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise CaveatError(f"{where}: {name} is {shown(value)}; write it as text")
    return value


def _pair(row: Any, layout: Layout, where: str, changes: Changes) -> list[Message]:
    """A prompt and its reply: two texts, or two lists of turns as TRL has them."""
    prompt, reply = layout.fields["prompt"], layout.fields["reply"]
    if isinstance(row[prompt], list) or isinstance(row[reply], list):
        before = _turns_or_text(row, prompt, "user", where, changes)
        after = _turns_or_text(row, reply, "assistant", where, changes)
        if any(message.role != "assistant" for message in after[:1]):
            raise CaveatError(
                f"{where}: {reply} begins with a turn of {after[0].role!r}; begin it with the "
                "assistant's"
            )
        masked = [
            Message(m.role, _masked(m.pieces)) if m.role == "assistant" else m for m in before
        ]
        return [*masked, *after]
    question, answer = _string(row, prompt, where), _string(row, reply, where)
    if "input" in layout.fields and (extra := _string(row, layout.fields["input"], where)).strip():
        question = f"{question}\n\n{extra}" if question.strip() else extra
    if answer[:1] == " ":
        changes.note("a blank before the reply was taken off")
        answer = answer[1:]
    return [Message.of("user", question), Message.of("assistant", answer)]


def _turns_or_text(row: Any, name: str, role: Role, where: str, changes: Changes) -> list[Message]:
    if isinstance(row[name], list):
        return _chat(row[name], name, where, changes)
    return [Message.of(role, _string(row, name, where))]


def _with_system(messages: list[Message], row: Any, layout: Layout, where: str) -> list[Message]:
    name = layout.fields.get("system")
    if name is None or not _string(row, name, where).strip():
        return messages
    if messages and messages[0].role == "system":
        raise CaveatError(
            f"{where} has a system turn and a field {name!r}; keep one, or read another field with "
            "--column system=FIELD"
        )
    return [Message.of("system", row[name]), *messages]


def _chat(turns: Any, name: str, where: str, changes: Changes) -> list[Message]:
    if not isinstance(turns, list):
        raise CaveatError(
            f"{where}: {name} is {shown(turns)}; write it as a list of turns with role and content"
        )
    messages = [
        _turn(turn, f"{where}: turn {number} of {name}", changes)
        for number, turn in enumerate(turns, 1)
    ]
    return [message for message in messages if message.text.strip() or message.role != "system"]


def _turn(turn: Any, where: str, changes: Changes) -> Message:
    if not isinstance(turn, dict):
        raise CaveatError(f"{where} is {shown(turn)}; write it with role and content")
    role = _role(turn, where)
    text = _content(turn, where, changes)
    if turn.get("tool_calls") or turn.get("function_call"):
        changes.note("tool calls were written as text")
        text = "\n".join(filter(None, [text, *_tool_calls(turn, where)]))
    if str(turn.get("role", turn.get("from"))).strip().lower() in TOOL_ROLES:
        changes.note("what tools returned was written as a user's turn")
        text = f"<tool_response>\n{text}\n</tool_response>"
    for key, value in turn.items():
        if key not in READ_IN_TURNS and value not in (None, "", [], {}):
            changes.note(f"the key {key!r} of turns was not read")
    if _weight(turn, role, where, changes):
        return Message.of(role, text)
    return Message(role, (Piece(text, "masked"),))


def _role(turn: Mapping[str, Any], where: str) -> Role:
    name = turn.get("role", turn.get("from"))
    if name is None:
        near = next((hint for key in turn if (hint := closest(key, ("role", "from")))), "")
        raise CaveatError(f"{where} has no role (it has {listed(turn) or 'nothing'}); add it{near}")
    if not isinstance(name, str) or name.strip().lower() not in ROLES:
        raise CaveatError(
            f"{where} has the role {shown(name)}; known: {', '.join(ROLES)}{closest(name, ROLES)}"
        )
    return ROLES[name.strip().lower()]


def _content(turn: Mapping[str, Any], where: str, changes: Changes) -> str:
    """The text of a turn: a string, or a list of parts of which all are text."""
    key = "content" if "content" in turn else "value"
    content = turn.get(key)
    if content is None and (turn.get("tool_calls") or turn.get("function_call")):
        return ""
    if content is None:
        raise CaveatError(f"{where} has no content; add it")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise CaveatError(f"{where}: {key} is {shown(content)}; write it as text")
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, dict) and isinstance(part.get("type"), str):
            raise Dropped(f"has a part that is no text ({part['type']})")
        else:
            raise CaveatError(f"{where}: {key} has the part {shown(part)}; write it as text")
    return _joined_parts(texts)


def _joined_parts(texts: list[str]) -> str:
    """The parts in one text, with a blank between two where neither has one."""
    text = ""
    for part in texts:
        is_apart = not text or not part or text[-1].isspace() or part[0].isspace()
        text += part if is_apart else f" {part}"
    return text


def _tool_calls(turn: Mapping[str, Any], where: str) -> list[str]:
    """Calls as the models of the Hermes and Qwen families write them."""
    calls = turn.get("tool_calls") or [{"function": turn["function_call"]}]
    if not isinstance(calls, list):
        raise CaveatError(f"{where}: tool_calls is {shown(calls)}; write it as a list")
    written = []
    for call in calls:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise CaveatError(f"{where} has the tool call {shown(call)}; give it a name")
        arguments = function.get("arguments", {})
        if isinstance(arguments, str):
            arguments = _parsed(arguments)
        body = json.dumps({"name": function["name"], "arguments": arguments}, ensure_ascii=False)
        written.append(f"<tool_call>\n{body}\n</tool_call>")
    return written


def _parsed(text: str) -> Any:
    """Arguments that are JSON in a text, or the text where they are not."""
    try:
        return checked(parse_json(text))
    except ValueError:
        return text


def _weight(turn: Mapping[str, Any], role: Role, where: str, changes: Changes) -> bool:
    """Whether the turn may carry loss. Raises CaveatError for a weight between 0 and 1."""
    weights = [turn[key] for key in ("weight", "train") if turn.get(key) is not None]
    for weight in weights:
        if weight not in (0, 1) or not isinstance(weight, int | float):
            raise CaveatError(f"{where} has the weight {shown(weight)}; write 0 or 1")
    if role != "assistant":
        if any(weights):
            changes.note("weight 1 of a turn that is not the assistant's was not read")
        return True
    return all(weights)


def _masked(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    return tuple(Piece(piece.text, "masked") for piece in pieces)


def _trained(messages: list[Message], where: str, changes: Changes) -> Messages:
    """The chat up to its last turn that is learned; a chat without a user turn is a document."""
    if not any(message.role == "assistant" for message in messages):
        raise Dropped("has no assistant turn" if messages else "is empty")
    learned = [index for index, message in enumerate(messages) if _is_learned(message)]
    if not learned:
        masked = any(m.text.strip() for m in messages if m.role == "assistant")
        raise Dropped("has no turn with weight 1" if masked else "has an empty reply")
    if learned[-1] + 1 < len(messages):
        changes.note("turns after the last that is learned were cut off")
    messages = messages[: learned[-1] + 1]
    others = [message for message in messages if message.role != "assistant"]
    if all(not message.text.strip() for message in others):
        if len(messages) - len(others) > 1:
            raise CaveatError(
                f"{where} has several assistant turns and no user turn; add what they answer, or "
                "join them into one"
            )
        changes.note("a chat of an assistant turn alone was read as a document")
        return (_document(messages[-1].text, changes),)
    roles = [message.role for message in messages]
    if "user" not in roles:
        raise CaveatError(
            f"{where} has no user turn beside the system turn; add what the reply answers, or take "
            "the system turn out for a document"
        )
    if "system" in roles[1:]:
        raise CaveatError(f"{where} has a system turn after its start; put it first")
    return tuple(messages)


def _is_learned(message: Message) -> bool:
    return message.role == "assistant" and any(
        piece.kind == "text" and piece.text.strip() for piece in message.pieces
    )


def _document(text: str, changes: Changes) -> Message:
    """The document, with what the field's marks take out of the loss masked."""
    pieces: list[Piece] = []
    if text.startswith(DOCTAG):
        changes.note(f"{DOCTAG} at the start carries no loss")
        pieces.append(Piece(DOCTAG, "masked"))
        text = text.removeprefix(DOCTAG)
    if "<lossmask>" in text:
        changes.note("<lossmask> spans carry no loss")
    for index, part in enumerate(LOSSMASK.split(text)):
        if part:
            pieces.append(Piece(part, "masked" if index % 2 else "text"))
    if not any(piece.kind == "text" and piece.text.strip() for piece in pieces):
        raise Dropped("is an empty document")
    return Message("document", tuple(pieces))
