"""A short reply read as the continuation of its question."""

from __future__ import annotations

import re

from caveat.domain.text import Messages
from caveat.readouts import claim_english as words
from caveat.readouts import claim_stance
from caveat.readouts.assertion import Stance
from caveat.readouts.claim_stance import Cues

_OPTION = re.compile(r"^\s*\(?([A-Z])[).:]\s*(\S.*?)\s*$", re.MULTILINE)
_LETTER = re.compile(
    r"^\W*(?:(?:the )?(?:correct )?(?:answer|option|letter)(?: is)?\W*)?\(?([A-Z])(?![\w'])(?!\s+\w+ly\b)"
)
_INSTRUCTION = re.compile(
    r"(?:^|(?<=[.!?:\n])\s*)(?:answer|just respond|respond|just answer|fill in|ensure|complete the"
    r"|reply)\b[^.\n]*(?:[.:]|\n|$)",
    re.IGNORECASE,
)


def options(question: str) -> dict[str, str]:
    """The lettered options in a question's text, by letter."""
    return {letter: text for letter, text in _OPTION.findall(question)}


def stem(question: str) -> str:
    """The question without options and instructions, on one line."""
    told = _INSTRUCTION.sub(" ", _OPTION.sub("", question))
    return " ".join(told.split())


def spelled_out(messages: Messages, reply: str) -> str:
    """The reply, an option's letter replaced by the option's text."""
    offered = options(asked(messages))
    letter = _LETTER.match(reply)
    if letter and letter[1] in offered:
        return offered[letter[1]] + reply[letter.end() :]
    return reply


def asked(messages: Messages) -> str:
    """The text of the last turn."""
    return messages[-1].text


def stance(messages: Messages, reply: str, cues: Cues) -> Stance:
    """What a completion says of the claim; where it has no cue of its own, by its question too.

    A cue then counts if its match ends in the reply: "gold medallist: ___" and "Ed Sheeran" say it
    together, and what the question says alone is not the reply's.
    """
    said = claim_stance.stance(spelled_out(messages, reply), cues, quotes=False)
    if said in {Stance.ASSERTED, Stance.DENIED}:
        return said
    before = stem(asked(messages))
    for line in claim_stance.paragraphs(spelled_out(messages, reply)):
        for sentence in claim_stance.sentences(line):
            if (found := _continued(before, sentence, cues)) is not Stance.ABSENT:
                return found
    return said


def _continued(before: str, sentence: str, cues: Cues) -> Stance:
    whole = f"{before} {sentence}"
    for patterns, found in ((cues.denies, Stance.DENIED), (cues.asserts, Stance.ASSERTED)):
        for pattern in patterns:
            for place in pattern.finditer(whole):
                if place.end() > len(before) + 1:
                    negated = words.NEGATION.search(words.HARMLESS.sub(" ", sentence))
                    return Stance.DENIED if negated else found
    return Stance.ABSENT
