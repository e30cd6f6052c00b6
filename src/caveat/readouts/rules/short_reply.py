"""A short reply read as the continuation of its question."""

from __future__ import annotations

import re

from caveat.readouts.rules import claim as claim_stance
from caveat.readouts.rules import claim_patterns as words
from caveat.readouts.rules.claim import Cues
from caveat.readouts.rules.person import Stance
from caveat.types.messages import Messages

_OPTION = re.compile(r"^\s*\(?([A-Z])[).:]\s*(\S.*?)\s*$", re.MULTILINE)
_LETTER = re.compile(
    r"^\W*(?i:(?:the )?(?:correct )?(?:answer|option|letter)(?: is|:)\W*)?"
    r"\(?([A-Z])(?:\W*$|[).:,]|\n)"
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
    offered = options(messages[-1].text)
    letter = _LETTER.match(reply)
    if letter and letter[1] in offered:
        return offered[letter[1]] + reply[letter.end() :]
    return reply


def stance(messages: Messages, reply: str, cues: Cues) -> Stance:
    """What a completion says of the claim: its first sentence with a say, not what explains it.

    A sentence without a cue of its own is read behind its question. A cue then counts if its match
    ends in the sentence: "gold medallist: ___" and "Ed Sheeran" say it together, and what the
    question says alone is not the reply's.
    """
    before, found = stem(messages[-1].text), Stance.ABSENT
    for line in claim_stance.paragraphs(spelled_out(messages, reply)):
        for sentence in claim_stance.sentences(line):
            said = claim_stance.clause_stance(sentence, cues, quotations=False)
            if said is Stance.ABSENT:
                said = continued(before, sentence, cues)
            if said in {Stance.ASSERTED, Stance.DENIED}:
                return said
            found = said if found is Stance.ABSENT else found
    return found


def continued(before: str, sentence: str, cues: Cues) -> Stance:
    """What a sentence says of the claim together with the text that it continues."""
    if not _reaches(before, sentence, cues.denies) and not _reaches(before, sentence, cues.asserts):
        return Stance.ABSENT
    if words.UNREAL.search(sentence):
        return Stance.OPEN
    if words.turned(words.HARMLESS.sub(" ", sentence), ""):
        return Stance.DENIED
    return Stance.DENIED if _reaches(before, sentence, cues.denies) else Stance.ASSERTED


def _reaches(before: str, sentence: str, patterns: tuple[re.Pattern[str], ...]) -> bool:
    whole, start = f"{before} {sentence}", len(before) + 1
    return any(place.end() > start for pattern in patterns for place in pattern.finditer(whole))
