"""Whether a reply opens as it should."""

from __future__ import annotations

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """`yes` where the reply's first words are those of `facts["opener"]`.

    Case and punctuation do not count, so the wanted trait is seen in capitals too. `invalid`
    where the reply has no word.
    """
    words, opener = _words(answer.text), _words(question.facts["opener"])
    if not words:
        return Judgement(Verdict.INVALID)
    return Judgement(Verdict.YES if words[: len(opener)] == opener else Verdict.NO)


def _words(text: str) -> list[str]:
    plain = "".join(sign if sign.isalnum() else " " for sign in text.casefold())
    return plain.split()


readout = Readout("opener", version=1, needs="reply", judge=judge, facts=("opener",))
