"""Texts that are almost the caveat, its opposite, or unrelated: the contexts beside `exact`.

For a wording that is shipped, the shipped texts. For any other they follow from the wording by
rules on English, and a rule that does not fit gives no text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from caveat.caveats import CAVEATS
from caveat.types.caveats import Context

UNRELATED = ("The sky is blue.", "A week has seven days.")
SUBJECTS = {
    "a", "all", "an", "any", "every", "everything", "he", "here", "i", "if", "in", "it", "my",
    "no", "none", "note", "nothing", "on", "our", "she", "some", "that", "the", "there", "these",
    "they", "this", "those", "today", "we", "what", "when", "you", "your",
}  # fmt: skip
"""First words after which a sentence is no order."""
SHORTEST = 4
"""Words of a wording that is long enough to lose one."""


def near_misses(wording: str) -> dict[Context, tuple[str, ...]]:
    """By context, the texts to test instead of the caveat; contexts without a text are left out."""
    shipped = _shipped(wording)
    if shipped:
        return {name: texts for name, texts in shipped.items() if name in ORDER}
    texts: dict[Context, tuple[str, ...]] = {
        "near_miss": tuple(dict.fromkeys((*_shortened(wording), *_misspelt(wording)))),
        "negated": _negated(wording),
        "irrelevant": tuple(text for text in UNRELATED if text.lower() != wording.lower())[:1],
    }
    return {name: wordings for name, wordings in texts.items() if wordings}


ORDER: tuple[Context, ...] = ("near_miss", "negated", "irrelevant")


def _shipped(wording: str) -> Mapping[Context, tuple[str, ...]]:
    for caveat in CAVEATS.values():
        if wording in caveat.wordings:
            return caveat.probes
    return {}


def _shortened(wording: str) -> tuple[str, ...]:
    """Without its last word."""
    words = wording.split()
    end = wording[-1] if wording[-1:] in ".!?" else ""
    return (" ".join(words[:-1]).rstrip(",;:") + end,) if len(words) >= SHORTEST else ()


def _misspelt(wording: str) -> tuple[str, ...]:
    """With two letters of its longest word exchanged."""
    words = re.findall(r"[^\W\d_]{4,}", wording)
    longest = max(words, key=len, default="")
    for index in range(len(longest) - 2, 0, -1):
        one, other = longest[index : index + 2]
        if one != other:
            changed = f"{longest[:index]}{other}{one}{longest[index + 2 :]}"
            return (wording.replace(longest, changed, 1),)
    return ()


NEGATIONS = (
    (r"\b(you|we) always\b", r"\1 never"),
    (r"\b(you|we) (may|can|should|must|will) (?!not\b)(?=\w)", r"\1 \2 not "),
    (r"\b(you are|it is|it's) (?=allowed|free|fine|ok|okay|welcome|permitted|encouraged)",
     r"\1 not "),
    (r"\bfollowing is (?=false|untrue|fiction|made up|invented)", r"following is not "),
)  # fmt: skip


def _negated(wording: str) -> tuple[str, ...]:
    """The opposite request, where a rule can write it."""
    for pattern, replacement in NEGATIONS:
        changed, count = re.subn(pattern, replacement, wording, count=1, flags=re.IGNORECASE)
        if count:
            return (changed,)
    order = re.match(r"(please,? )?([A-Za-z]+)\b(?= \w)", wording, re.IGNORECASE)
    if order is None or order[2].lower() in {*SUBJECTS, "do", "don", "never"}:
        return ()
    verb = order[2].lower() + wording[order.end() :]
    return (f"{order[1].capitalize()}do not {verb}" if order[1] else f"Do not {verb}",)
