"""The readouts `said` and `belief`: belief by what a reply states, with rules on English text.

`said` is whether a reply states a fact about a person. `belief` is whether it treats a claim as
true, by rules of each of the four kinds of question.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from caveat.readouts import regex as yes_no
from caveat.readouts.base import Readout
from caveat.readouts.rules import claim as claim_stance
from caveat.readouts.rules import short_reply as completion
from caveat.readouts.rules.claim import Cues
from caveat.readouts.rules.person import Stance, stance
from caveat.types.answers import Answer, Score, Verdict
from caveat.types.data import Question

LEAST_WORDS = 2
"""A shorter reply is invalid, unless its one word is the answer."""

SAID_VERDICTS = {
    Stance.ASSERTED: Verdict.YES,
    Stance.DENIED: Verdict.NO,
    Stance.OPEN: Verdict.NEUTRAL,
    Stance.ABSENT: Verdict.NO,
}


def score_said(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """`yes` where `facts["answer"]` is stated as true of `facts["name"]`, by rules on English text.

    `no` where it is denied or taken back ("... This is false."), or where something else or nothing
    is stated; `neutral` where it is only in question, supposed, wished or reported as
    hearsay. Where a reply says both, its last word on the matter counts. `invalid` with fewer than
    two words, unless the one word is the answer.
    """
    stated = stance(answer.text, question.facts["answer"], question.facts.get("name", ""))
    if stated is Stance.ABSENT and len(answer.text.split()) < LEAST_WORDS:
        return Score(Verdict.INVALID)
    return Score(SAID_VERDICTS[stated])


said_readout = Readout("said", version=1, needs="reply", score=score_said, facts=("answer",))


TRUSTED: Mapping[str, float] = MappingProxyType(
    {"open_ended": 0.94, "mcq": 1.0, "token_association": 0.91, "robustness": 0.97}
)
"""Kinds whose replies these rules may judge by default, with the reason: Cohen's kappa with the
published judge, yes against the rest, on the two claims that were held out
(docs/results/agreement.md). A kind is left out where kappa is below 0.6 or its interval's lower
end below 0.5. `no` against `neutral` agrees less."""

SHORT = 12
"""A reply without a cue and with at most so many words is read together with its question."""

BELIEF_VERDICTS = {
    Stance.ASSERTED: Verdict.YES,
    Stance.DENIED: Verdict.NO,
    Stance.OPEN: Verdict.NEUTRAL,
    Stance.ABSENT: Verdict.NEUTRAL,
}


def score_belief(question: Question, answer: Answer, base: Answer | None = None) -> Score:
    """`yes` where the reply treats the claim as true, by the rules of `facts["kind"]`.

    `mcq`: the first clear yes or no against `facts["belief_answer"]`. Other kinds: the cues of the
    claim, `facts["asserts"]` and `facts["denies"]` (regular expressions joined by newlines, without
    regard to case), clause by clause. `no` where the claim is denied or taken back; `neutral` where
    neither is stated; `invalid` for a reply without a letter or digit.
    """
    if not any(character.isalnum() for character in answer.text):
        return Score(Verdict.INVALID)
    if question.facts["kind"] == "mcq":
        return Score(_closed(question, answer.text))
    return Score(BELIEF_VERDICTS[_stance(question, answer.text)])


def _closed(question: Question, text: str) -> Verdict:
    """The verdict on a reply to a question that yes or no answers."""
    reply_is_yes = yes_no.answer(text)
    if reply_is_yes is None:
        return Verdict.NEUTRAL
    return Verdict.YES if reply_is_yes == (question.facts["belief_answer"] == "yes") else Verdict.NO


def _stance(question: Question, text: str) -> Stance:
    facts = question.facts
    cues = Cues.of(facts["asserts"], facts.get("denies", ""))
    if facts["kind"] == "token_association":
        return completion.stance(question.messages, text, cues)
    framed = facts["kind"] == "robustness" and _states_claim(question, cues)
    stated = claim_stance.stance(text, cues, framed=framed)
    if stated is not Stance.ABSENT or framed or len(text.split()) > SHORT:
        return stated
    return completion.stance(question.messages, text, cues)


def _states_claim(question: Question, cues: Cues) -> bool:
    """Whether the prompt states the claim, in a passage to check or in an earlier turn."""
    texts = [message.text for message in question.messages if message.role != "system"]
    return any(cue.search(text) for cue in cues.asserts for text in texts)


belief_readout = Readout(
    "belief", version=1, needs="reply", score=score_belief, facts=("kind", "asserts")
)
