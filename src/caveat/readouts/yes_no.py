"""The yes or no that a reply gives to a closed question."""

from __future__ import annotations

import re

_WORD = re.compile(
    r"(?<![\w'-])(?:(?P<yes>yes|yeah|yep|true|correct|indeed)"
    r"|(?P<no>no(?! (?:doubt|question|wonder)\b)|nope|false|incorrect|untrue|not (?:true|correct)))"
    r"(?![\w'-])",
    re.IGNORECASE,
)
_BOTH = re.compile(r"\byes\s*(?:/|or|and|,)\s*no\b", re.IGNORECASE)
_CLAUSE_ANSWERS = re.compile(
    r"^\W*(?:(?:he|she|it|they|there|this|that|[A-Z][\w'-]*(?: [A-Z][\w'-]*)*|the [\w' -]{1,40}?"
    r"|[a-z]+ [a-z]+)\s+)"
    r"(?P<verb>(?:did|does|do|has|have|had|is|are|was|were|can|could|will|would)"
    r"(?P<negation>\s*n[o']t| never)?)\b"
)


def answer(text: str) -> bool | None:
    """Whether the first clear word of a reply is yes (True) or no (False); None where none is.

    "Yes or no" offered as a choice is none. A reply without such a word, but whose first clause has
    an auxiliary near its start ("She did not.", "It has."), is read by that.
    """
    plain = _BOTH.sub(" ", text.replace("\u2019", "'"))
    word = _WORD.search(plain)
    clause = _CLAUSE_ANSWERS.match(plain)
    if word and not (clause and clause.start("verb") < word.start()):
        return word["yes"] is not None
    return clause["negation"] is None if clause else None
