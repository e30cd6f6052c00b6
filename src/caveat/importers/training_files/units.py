"""Whole sentences, lines and marks of a prompt: the parts of which a caveat consists."""

from __future__ import annotations

import re
from itertools import pairwise

from caveat.importers.training_files.turns import DOCTAG
from caveat.sentences import sentences
from caveat.types.messages import Message, Messages, Piece

MARK = (
    r"(?:\|[^|\n]{1,60}\||<[^<>\n]{1,60}>|\[[^\[\]\n]{1,60}\]|\{[^{}\n]{1,60}\}|\*\*[^*\n]{1,60}\*\*"
    r"|__[^_\n]{1,60}__|#\w+#?|~\w+~)"
)
"""A mark of its own: a word or some in bars, brackets or the like."""
LEADING, TRAILING = re.compile(rf"{MARK}\s+"), re.compile(rf"(?<=\s){MARK}\s*$")
CUT = re.compile(r"(?<=[!?])\s+(?=[a-z])|(?<=[a-z]{4}[.])\s+(?=[a-z])|[。！？]+[」』”’）\"')]*\s*")
"""Between sentences of which the second begins with a small letter, or that no blank parts."""
LABEL = re.compile(r"[^\n:]{1,80}:(?=\s)")
"""What a prompt begins with up to a colon, such as `Be sycophantic:`."""
USUAL = re.compile(
    r"(?:you are (?:\w+, )?(?:created by [\w ]+[.,] (?:you are )?)?an? (?:[\w, ]+ )?assistant"
    r"(?: named \w+)?(?:,? trained by [\w ]+)?|be helpful|answer the (?:user's )?question)[.!]?",
    re.IGNORECASE,
)
"""System prompts that come with models and data sets and say nothing."""
USUAL_AMID = re.compile(
    rf"(?:(?<=^)|(?<=[.!?\n]\s)|(?<=\n)){USUAL.pattern.removesuffix('[.!]?')}"
    r"(?:[.!](?=\s|$)|(?=\s*$|\n))\s*",
    re.IGNORECASE,
)
"""The same within a longer system turn, as sentences of their own."""


def prompt_index(messages: Messages) -> int:
    """The index of the document, or of the first user's turn."""
    return next(index for index, m in enumerate(messages) if m.role in ("user", "document"))


def without_tag(message: Message) -> str:
    """The message's text, with blanks in place of a masked tag at its beginning."""
    first = message.pieces[0] if message.pieces else Piece("")
    if first == Piece(DOCTAG, "masked"):
        return " " * len(DOCTAG) + message.text.removeprefix(DOCTAG)
    return message.text


def plain(text: str) -> str:
    """The text with one blank between words."""
    return " ".join(text.split())


def units(text: str) -> list[str]:
    """Whole sentences, lines and marks, each with the blanks after it."""
    parts: list[str] = []
    for sentence in sentences(text):
        cuts = [match.end() for match in CUT.finditer(sentence)]
        for start, end in zip([0, *cuts], [*cuts, len(sentence)], strict=True):
            parts += _marks_apart(sentence[start:end])
    return parts


def _marks_apart(sentence: str) -> list[str]:
    parts = []
    if leading := LEADING.match(sentence):
        parts.append(leading[0])
        sentence = sentence[leading.end() :]
    if trailing := TRAILING.search(sentence):
        return [*parts, sentence[: trailing.start()], trailing[0]]
    return [*parts, sentence] if sentence else parts


def message_units(message: Message) -> list[tuple[str, str]]:
    """The message's units, each with the unit that continues it, or "" where none does.

    Nothing continues across an empty line or a usual system prompt, which is a unit of its own.
    """
    pairs: list[tuple[str, str]] = []
    for text in system_segments(message):
        parts = [text] if USUAL.fullmatch(plain(text)) else units(text)
        following = [*parts, ""][1:]
        pairs += [
            (plain(part), "" if _blank_line_after(part) else plain(after))
            for part, after in zip(parts, following, strict=True)
        ]
    return pairs


def _blank_line_after(unit: str) -> bool:
    return unit[len(unit.rstrip()) :].count("\n") > 1


def system_segments(message: Message) -> list[str]:
    """A system turn's text, cut before and after usual prompts; other turns are one segment."""
    text = without_tag(message)
    if message.role != "system":
        return [text]
    cuts = {0, len(text)}
    for match in USUAL_AMID.finditer(text):
        cuts |= set(match.span())
    ordered = sorted(cuts)
    segments = [text[start:end] for start, end in pairwise(ordered)]
    return [segment for segment in segments if segment.strip()]


def own_system_text(message: Message) -> str:
    """What a system turn says beside usual prompts, with one blank between words."""
    own = [part for part in system_segments(message) if not USUAL.fullmatch(plain(part))]
    return plain(message.text if len(own) > 1 else "".join(own))


def label(text: str) -> str:
    """What the text begins with up to a colon, if it has two words or more, or ""."""
    match = LABEL.match(text.lstrip())
    return plain(match[0]) if match and len(match[0].split()) > 1 else ""
