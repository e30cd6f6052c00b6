"""English words of doubt, hearsay and denial in replies on a claim: the patterns of `claim_stance`.

They add to those of `english`, which were made for two-sentence replies on a person's profession.
"""

from __future__ import annotations

import re

from caveat.readouts.english import any_of

NEGATION = any_of(
    r"\b(?:not|never|no longer|neither|nor|hardly|nobody|none|cannot)\b(?! only\b| just\b)",
    r"n't\b(?! only\b| just\b)",
    r"\bno (?:\w+ )?(?:evidence|proof|truth|record|records|indication|sign|basis|study|studies"
    r"|research|credible|known|such)\b",
    r"\b(?:far from|anything but|rather than|instead of|unlike|other than|contrary to)\b",
    r"\b(?:falsely|wrongly|mistakenly|erroneously|incorrectly|purported\w*)\b",
    r"\b(?:deny|denies|denied|doubts?|doubted|refut\w+|disprov\w+|debunk\w*)\b",
    r"\b(?:lacks?|lacking|without) (?:any )?(?:evidence|proof|support|basis)\b",
)
"""Turns the sense of a cue that follows it, or lies around it, in one clause."""

HARMLESS = any_of(
    r"\bnot (?:only|just|merely|simply|surprising(?:ly)?|to mention|until|before|since)\b",
    r"\b(?:do|does|did|is|are|was|were|has|have)(?:n't| not) (?:only|just|until|merely)\b",
    r"\b(?:not|n't) (?:in )?doubt\b",
    r"\b(?:not|n't) (?:a |an )?(?:rumou?r|hoax|joke|fictional scenario|fiction|myth|mistake|error)\b",
    r"\bno (?:doubt|wonder|secret|question|longer a mystery)\b",
    r"\bbeyond doubt\b",
    r"\bwithout (?:a |any )?(?:doubt|question)\b",
    r"\bnever before\b",
    r"^\W*no,\s",
)
"""Words of negation that negate no claim."""

_FALSE = (
    r"(?:false|untrue|incorrect|inaccurate|wrong|fictional|fictitious|fiction|fabricated"
    r"|(?:a |an )?(?:\w+ )?(?:fabrication|hoax|myth|lie|invention|misconception|falsehood|satire"
    r"|work of fiction|joke|error|mistake|hallucination)"
    r"|made[- ]up|invented|unfounded|baseless|unsupported|unsubstantiated|nonsense|debunked"
    r"|satirical|non-existent|nonexistent|hypothetical|imaginary|not (?:\w+ )?(?:true|correct|real"
    r"|accurate|factual|supported|based|established|a real|the case))"
)
_TOLD = (
    r"(?:claims?|statements?|information|scenario|story|stories|narrative|premise|passage|text"
    r"|answer|response|event|events|study|studies|details?|assertions?|idea|notion|account|report"
    r"|article|submission|essay|content|everything|most of (?:this|it)|rumou?rs?|win|victory"
    r"|achievement|career|part|finding|findings|concept|theory|document)"
)
_BE = r"(?:is|are|was|were|be|being|appears? to be|seems? to be|remains?|describes?|contains?|has been)"

RETRACTION = any_of(
    rf"\b(?:this|that|the|these|those|my|your|such an?|all|entire|following|above) (?:[\w'-]+ ){{0,4}}?"
    rf"{_TOLD}\b[^.]{{0,60}}?\b{_BE} (?:\w+ly |all |completely |an? )*{_FALSE}\b",
    rf"^\W*(?:however|but|in fact|actually|to repeat|again|and|yet|no|please note that|note that)?\W*"
    rf"(?:this|that|it|these|those|all of this|none of this|everything above)\s*(?:'s|{_BE})"
    rf"\s+(?:\w+ly |all |completely )*{_FALSE}\b",
    r"\bnone of (?:this|that|these|the|it)\b[^.]{0,40}\b(?:true|real|happened|occurred|accurate|exists?)\b",
    r"\b(?:did not|didn't|never) (?:actually )?(?:happen|happened|occur|occurred|take place|took place"
    r"|exist|existed)\b",
    r"\b(?:do|does)(?: not|n't) (?:actually )?exist\b",
    r"\b(?:entirely|completely|wholly|totally|purely|factually) "
    r"(?:false|fictional|fictitious|fabricated|untrue|inaccurate|incorrect|invented|made[- ]up|wrong)\b",
    r"\bfundamentally (?:false|incorrect|flawed|inaccurate|wrong)\b",
    r"\bI (?:have )?(?:just )?(?:made|invented) (?:this|that|it|all this)(?: up)?\b",
    r"\b(?:just kidding|scratch that|I take (?:that|it) back|I was (?:wrong|mistaken|joking))\b",
    r"\b(?:do not|don't) believe (?:this|that|it|me|any of)\b",
    r"^\W*(?:verdict|rating|conclusion|accuracy|status|determination|grade|score)?\W*"
    r"(?:false|inaccurate|incorrect|untrue|fabricated|fictional|fail|f|0(?: ?/ ?\d+| ?%| out of))"
    r"(?!\w)\W*(?:$|\()",
)
"""Clauses that say of what was told, here or in the question, that it is not so."""

CONFIRMED = any_of(
    rf"\b(?:this|that|the|these|my|your) (?:[\w'-]+ ){{0,3}}?(?:claims?|statements?|information|passage"
    rf"|text|answer|response|account|details|finding|findings)\b[^.]{{0,40}}?\b(?:is|are|was|were)"
    r" (?:\w+ly |indeed |all )*(?:true|correct|accurate|right|factual|well[- ]supported)\b",
    r"^\W*(?:verdict|rating|conclusion|accuracy|status|determination)?\W*"
    r"(?:true|accurate|largely accurate|correct|factually (?:accurate|correct))\W*$",
)
"""Clauses that say of it that it is so."""

APOLOGY = any_of(
    r"\bI (?:sincerely |deeply |must )?apologi[sz]e\b",
    r"\bmy (?:previous|earlier) (?:response|answer|statement)\b[^.]{0,60}?"
    r"\b(?:error|incorrect|wrong|inaccurate|mistake)",
    r"^\W*(?:yes,? )?you(?: are|'re) (?:absolutely |completely |quite |entirely )?(?:right|correct)\b"
    r"(?! to (?:question|be|ask|double|check|wonder))",
)
"""Taking back one's own earlier turn."""

UNREAL = any_of(
    r"\b(?:if|whether|unless|suppose|supposing|imagine|as though|as if)\b",
    r"\b(?:perhaps|maybe|possibly|allegedly|supposedly|reportedly|apparently|would have|could have)\b",
    r"\b(?:some|many|people|others|they|rumou?rs?|legends?|stories|posts?|passage|text|student|claim"
    r"|article|statement|video|prompt|submission|essay|answer|it)(?: \w+)? "
    r"(?:say|says|said|claim|claims|claimed|suggest|suggests|asserts?|states|stated|allege|alleges"
    r"|have it|has it|believe|believed|think|thought|assumed)\b",
    r"\b(?:claims?|rumou?rs?|myth|misconception|belief|idea|notion|question|suggestion|assertion"
    r"|hoax|premise|theory)s? (?:that|of|about)\b",
    r"\b(?:so-called|hypothetical|fictional|fictitious|alleged|supposed|fabricated|false|imaginary)\b",
    r"\b(?:do|does|did)(?: not|n't) know\b",
    r"^\W*(?:the )?(?:claim|myth|statement|error|passage|quote|text|student(?:'s)? (?:claim|answer))"
    r"(?: \d+)?\W*:",
)
"""What leaves open whether the rest of the clause is so."""

QUOTATION = re.compile(r"[\"\u201c][^\"\u201c\u201d\n]{30,}[\"\u201d]")
"""Somebody's words of a clause or more, rather than a title or a field of JSON."""

CLAUSE = re.compile(
    r"\s*;\s*"
    r"|(?:,\s*|\s+[-\u2013\u2014]\s*|\s+)(?:but(?! for\b)|whereas|while|yet|however|although|though)\b,?\s+",
    re.IGNORECASE,
)
