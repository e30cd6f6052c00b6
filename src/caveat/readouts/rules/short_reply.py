"""A short reply read as the continuation of its question."""

from __future__ import annotations

import re

from caveat.readouts.rules import claim_patterns
from caveat.readouts.rules.claim import Cues, clause_stance, paragraphs, sentences
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
    text = _INSTRUCTION.sub(" ", _OPTION.sub("", question))
    return " ".join(text.split())


def spelled_out(messages: Messages, reply: str) -> str:
    """The reply, an option's letter replaced by the option's text."""
    offered = options(messages[-1].text)
    letter = _LETTER.match(reply)
    if letter and letter[1] in offered:
        return offered[letter[1]] + reply[letter.end() :]
    return reply


def stance(messages: Messages, reply: str, cues: Cues) -> Stance:
    """The stance of a completion: that of its first sentence that asserts or denies the claim.

    A sentence without a cue of its own is read as a continuation of its question. A cue then counts
    if its match ends in the sentence: "gold medallist: ___" and "Ed Sheeran" state it together,
    while what the question states alone is not the reply's.
    """
    before, stated = stem(messages[-1].text), Stance.ABSENT
    for line in paragraphs(spelled_out(messages, reply)):
        for sentence in sentences(line):
            in_sentence = clause_stance(sentence, cues, quotations=False)
            if in_sentence is Stance.ABSENT:
                in_sentence = continued(before, sentence, cues)
            if in_sentence in {Stance.ASSERTED, Stance.DENIED}:
                return in_sentence
            stated = in_sentence if stated is Stance.ABSENT else stated
    return stated


def continued(before: str, sentence: str, cues: Cues) -> Stance:
    """The stance of a sentence together with the text that it continues."""
    if not _reaches(before, sentence, cues.denies) and not _reaches(before, sentence, cues.asserts):
        return Stance.ABSENT
    if claim_patterns.UNREAL.search(sentence):
        return Stance.OPEN
    if claim_patterns.is_negated(claim_patterns.HARMLESS.sub(" ", sentence), ""):
        return Stance.DENIED
    return Stance.DENIED if _reaches(before, sentence, cues.denies) else Stance.ASSERTED


def _reaches(before: str, sentence: str, patterns: tuple[re.Pattern[str], ...]) -> bool:
    """Whether a pattern matches the two texts together and the match ends in the sentence."""
    whole, start = f"{before} {sentence}", len(before) + 1
    return any(match.end() > start for pattern in patterns for match in pattern.finditer(whole))
