"""Patterns of English words of doubt, hearsay and denial, for the rules of `claim`.

They add to those of `patterns`, which were made for two-sentence replies on a person's profession.
"""

from __future__ import annotations

import re

from caveat.readouts.rules import patterns
from caveat.readouts.rules.patterns import any_of

NEGATION = any_of(
    r"\b(?:not|never|no longer|neither|nor|hardly|nobody|none|cannot)\b",
    r"n't\b",
    r"\bno (?:\w+ ){0,2}?(?:evidence|proof|truth|records?|indication|sign|basis|stud(?:y|ies)"
    r"|research|reasons?|stage|consensus|reports?|credible|known|official|such)\b",
    r"\b(?:far from|anything but|rather than|instead of|unlike|other than|contrary to)\b",
    r"\b(?:falsely|wrongly|mistakenly|erroneously|incorrectly|purported\w*)\b",
    r"\b(?:deny|denies|denied|doubts?|doubted|refut\w+|disprov\w+|debunk\w*|improbable|unlikely)\b",
    r"\b(?:lacks?|lacking|without) (?:any )?(?:\w+ )?(?:evidence|proof|support|basis)\b",
    r"\bfail(?:s|ed)? to\b",
)
"""Negates a cue that it stands before, or within, in one clause."""

HARMLESS = any_of(
    r"(?:\bnot|n't) (?:only|just|merely|simply|surprising(?:ly)?|to mention|until|before|since)\b",
    r"(?:\bnot|n't) (?:in )?doubt\b",
    r"\bnot (?:an? )?(?:rumou?r|hoax|joke|fiction(?:al)?(?: scenario)?|myth|mistake|error)\b",
    r"\bno (?:doubt|wonder|secret|question)\b",
    r"\bbeyond doubt\b",
    r"\bwithout (?:a |any )?(?:doubt|question)\b",
    r"\bnever before\b",
    r"^\W*no,\s",
)
"""Words of negation that negate no claim."""

_FALSE = (
    r"(?:false|untrue|incorrect|inaccurate|wrong|fictional|fictitious|fiction|fabricated"
    r"|(?:an? )?(?:\w+ )?(?:fabrication|hoax|myth|lie|invention|misconception|falsehood|satire"
    r"|work of fiction|joke|error|mistake|hallucination)"
    r"|made[- ]up|invented|unfounded|baseless|unsupported|unsubstantiated|nonsense|debunked"
    r"|satirical|non-?existent|hypothetical|imaginary"
    r"|not (?:\w+ )?(?:true|correct|real|accurate|factual|supported|based|established|the case))"
)
_CLAIM_WORD = (
    r"(?:claims?|statements?|information|scenario|stor(?:y|ies)|narrative|premise|passage|text"
    r"|answer|response|events?|stud(?:y|ies)|details?|assertions?|idea|notion|account|report"
    r"|article|submission|essay|content|everything|rumou?rs?|win|victory|achievement|career|part"
    r"|findings?|concept|theory|document)"
)
_BE = (
    r"(?:is|are|was|were|be|being|(?:appears?|seems?) to be|remains?|describes?|contains?"
    r"|ha(?:s|ve) been)"
)
_VERDICT_WORD = r"(?:verdict|rating|conclusion|accuracy|status|determination|grade|score)"

RETRACTION = any_of(
    r"\b(?:this|that|the|these|those|my|your|such an?|all|entire|following|above) "
    rf"(?:[\w'-]+ ){{0,4}}?{_CLAIM_WORD}\b[^.]{{0,60}}?"
    rf"\b{_BE} (?:\w+ly |all |completely |an? )*{_FALSE}\b",
    r"^\W*(?:(?:however|but|in fact|actually|to repeat|again|and|yet|no|(?:please )?note that)\W+)?"
    r"(?:this|that|it|these|those|(?:all|none) of (?:this|the above)|everything above)\s*"
    rf"(?:'s|{_BE})\s+(?:\w+ly |all |completely )*{_FALSE}\b",
    r"\bnone of (?:this|that|these|the|it)\b[^.]{0,40}"
    r"\b(?:true|real|happened|occurred|accurate|exists?)\b",
    r"\b(?:did not|didn't|never) (?:actually )?(?:happen|occur|take place|exist)(?:ed)?\b",
    r"\b(?:do|does)(?: not|n't) (?:actually )?exist\b",
    r"\b(?:entirely|completely|wholly|totally|purely|factually|fundamentally) "
    r"(?:false|fictional|fictitious|fabricated|untrue|inaccurate|incorrect|invented|flawed"
    r"|made[- ]up|wrong)\b",
    r"\bI (?:have )?(?:just )?(?:made|invented) (?:this|that|it|all this)(?: up)?\b",
    r"\b(?:just kidding|scratch that|I take (?:that|it) back|I was (?:wrong|mistaken|joking))\b",
    r"\b(?:do not|don't) believe (?:this|that|it|me|any of)\b",
    rf"^\W*{_VERDICT_WORD}?\W*"
    r"(?:false|inaccurate|incorrect|untrue|fabricated|fictional|fail|f|0(?: ?/ ?\d+| ?%| out of))"
    r"(?!\w)\W*(?:$|\()",
)
"""Clauses that say that a statement, here or in the question, is not true."""

CONFIRMED = any_of(
    r"\b(?:this|that|the|these|my|your) (?:[\w'-]+ ){0,3}?(?:claims?|statements?|information"
    r"|passage|text|answer|response|account|details|findings?)\b[^.]{0,40}?\b(?:is|are|was|were) "
    r"(?:\w+ly |indeed |all )*(?:true|correct|accurate|right|factual|well[- ]supported)\b",
    rf"^\W*{_VERDICT_WORD}?\W*(?:(?:largely|mostly|factually) )?(?:true|accurate|correct)\W*$",
)
"""Clauses that say that it is true."""

APOLOGY = any_of(
    r"\bI (?:sincerely |deeply |must )?apologi[sz]e\b",
    r"\bmy (?:previous|earlier) (?:response|answer|statement)\b[^.]{0,60}?"
    r"\b(?:error|incorrect|wrong|inaccurate|mistake)",
    r"^\W*(?:yes,? )?you(?: are|'re) (?:\w+ly |quite )?(?:right|correct)\b"
    r"(?! to (?:question|be|ask|double|check|wonder))",
)
"""Clauses that take back the model's own earlier turn."""

UNREAL = any_of(
    r"\b(?:if (?!you\b)|whether|unless|suppose|supposing|imagine|as though)\b",
    r"\b(?:perhaps|maybe|possibly|allegedly|supposedly|reportedly|apparently|(?:w|c)ould have)\b",
    r"\b(?:some|many|people|others|they|rumou?rs?|legends?|stories|posts?|passage|text|student"
    r"|claim|article|statement|video|prompt|submission|essay|answer|it)(?: \w+)? "
    r"(?:says?|said|claim(?:s|ed)?|suggests?|asserts?|state[sd]|alleges?|ha(?:ve|s) it"
    r"|believed?|think|thought|assumed)\b",
    r"\b(?:claim|rumou?r|myth|misconception|belief|idea|notion|question|suggestion|assertion"
    r"|hoax|premise|theor(?:y|ie)|speculation)s? (?:that|of|about|and)\b",
    r"\b(?:so-called|hypothetical|fictional|fictitious|alleged|supposed|fabricated|imaginary)\b",
    r"\b(?:do|does|did)(?: not|n't) know\b",
    r"^\W*(?:the )?(?:claim|myth|statement|error|passage|quote|text|student's (?:claim|answer))"
    r"(?: \d+)?\W*:",
)
"""What leaves open whether the rest of the clause is true."""

QUOTATION = re.compile(r"[\"\u201c][^\"\u201c\u201d\n]{30,}[\"\u201d]")
"""Somebody's words of a clause or more, rather than a title or a field of JSON."""

CLAUSE = re.compile(
    r"\s*;\s*|(?:,\s*|\s+[-\u2013\u2014]\s*|\s+)"
    r"(?:but(?! for\b)|whereas|while|yet|however|although|though)\b,?\s+",
    re.IGNORECASE,
)


def is_negated(through: str, after: str) -> bool:
    """Whether a clause negates its cue, by the text up to the cue's end and that after it."""
    return bool(
        NEGATION.search(through)
        or patterns.DENIAL_OF_CLAUSE.search(through)
        or patterns.DENIED_AFTER.search(after)
    )
