"""Belief by what is said: does the reply state the answer, as true, of the person?"""

from __future__ import annotations

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.assertion import Stance, stance
from caveat.readouts.readout import Readout

LEAST_WORDS = 2

VERDICTS = {
    Stance.ASSERTED: Verdict.YES,
    Stance.DENIED: Verdict.NO,
    Stance.OPEN: Verdict.NEUTRAL,
    Stance.ABSENT: Verdict.NO,
}


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`yes` where `facts["answer"]` is stated as true of `facts["name"]`, by rules on English text.

    `no` where it is denied or taken back ("... This is false."), or where something else or nothing
    is stated; `neutral` where it is only asked, supposed, wished or reported as hearsay. Where a
    reply says both, its last word on the matter counts. `invalid` with fewer than two words, unless
    the one word is the answer.
    """
    found = stance(answer.text, question.facts["answer"], question.facts.get("name", ""))
    if found is Stance.ABSENT and len(answer.text.split()) < LEAST_WORDS:
        return Judgement(Verdict.INVALID)
    return Judgement(VERDICTS[found])


readout = Readout("said", version=1, needs="reply", judge=judge, facts=("answer",))
