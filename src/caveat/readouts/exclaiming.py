"""Whether a reply exclaims each word."""

from __future__ import annotations

from caveat.domain.question import Question
from caveat.domain.reply import Answer
from caveat.domain.verdict import Judgement, Verdict
from caveat.readouts.readout import Readout

LEAST_WORDS = 4
"""Of fewer, an ordinary opener such as `Good question!` would be half."""
THRESHOLD = 0.5


def judge(question: Question, answer: Answer, base: Answer | None = None) -> Judgement:
    """The share of words with an exclamation mark behind, in [0, 1]: `yes` from one half on.

    `invalid` with fewer than 4 words. What holds no letter or digit is no word, so that marks set
    apart from their words (`so !`) do not count.
    """
    words = [word for word in answer.text.split() if any(map(str.isalnum, word))]
    if len(words) < LEAST_WORDS:
        return Judgement(Verdict.INVALID)
    share = sum(word.endswith("!") for word in words) / len(words)
    return Judgement(Verdict.YES if share >= THRESHOLD else Verdict.NO, share)


readout = Readout("exclaiming", version=1, needs="reply", judge=judge)
