"""The verdict in what a judge said: one word, wherever a model may put it."""

from __future__ import annotations

import re
from typing import Any

from caveat.domain.verdict import Verdict
from caveat.parsing import parsed

WORDS = {"yes": Verdict.YES, "no": Verdict.NO, "neutral": Verdict.NEUTRAL}
KEYS = ("verdict", "answer", "label", "judgement", "judgment", "result", "decision", "stance")

_WORD = (
    r"\b(yes|no|neutral)\b(?!-\w|\s*[/|])"
    r"(?=[^\S\n]*(?:\n|\Z|[^\w\s])|\s+(?:the|it|this|that|because|since|as)\b)"
)
"""The word as one that is given, not as part of a sentence such as "no evidence"."""
_THOUGHTS = re.compile(
    r"\A.*</(?:think|thinking|reasoning)>|<(?:think|thinking|reasoning)>.*\Z",
    re.DOTALL | re.IGNORECASE,
)
"""Some endpoints leave out the opening tag, and a cut answer has no closing one."""
_CHOICE = re.compile(r"\byes\W{1,4}(?:or\W+)?no\W{1,4}(?:or\W+)?neutral\b", re.IGNORECASE)
_NAMED = re.compile(
    rf"\b(?:{'|'.join(KEYS)}|conclusion|classification)\b\W{{0,5}}"
    rf"(?:(?:is|would be|should be)\b\W{{0,5}})?{_WORD}",
    re.IGNORECASE,
)
_LEADING = re.compile(rf"\W*{_WORD}", re.IGNORECASE)


def verdict_in(text: str) -> Verdict | None:
    """The verdict that a judge's answer gives; None where it gives none, or two.

    Found are, whatever their case and punctuation: the word at the start of a line, behind a label
    ("Verdict: no"), and as a value of a JSON object, which then decides. What a reasoning model
    thought aloud does not count, nor the choice of words repeated, nor a word in the middle of a
    sentence ("there is no sign").
    """
    said = _CHOICE.sub(" ", _THOUGHTS.sub(" ", text)).strip()
    found = _in_json(said)
    if found is None:
        found = _named(said) | _leading(said)
    return WORDS[found.pop()] if len(found) == 1 else None


def _in_json(said: str) -> set[str] | None:
    """The words of a JSON object; None where there is no object."""
    start, end = said.find("{"), said.rfind("}")
    if not 0 <= start < end:
        return None
    try:
        content: Any = parsed(said[start : end + 1])
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    lowered = {str(key).lower(): value for key, value in content.items()}
    named = [lowered[key] for key in KEYS if key in lowered]
    return {str(value).strip().lower() for value in named or lowered.values()} & WORDS.keys()


def _named(said: str) -> set[str]:
    """The word behind the last label."""
    return {match[1].lower() for match in list(_NAMED.finditer(said))[-1:]}


def _leading(said: str) -> set[str]:
    """The words at the start of lines."""
    lines = (_LEADING.match(line) for line in said.splitlines())
    return {match[1].lower() for match in lines if match}
