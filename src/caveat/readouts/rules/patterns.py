"""Patterns of English words that assert, deny and take back, for the rules of `person`."""

from __future__ import annotations

import re


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern of several, without regard to case."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_FALSE = (
    r"(?:(?:not|n't|never|hardly) (?:\w+ )?(?:true|correct|real|accurate|the case|factual)"
    r"|(?:not|n't) (?:so|right)(?=\W*$)"
    r"|untrue|false|wrong|incorrect|inaccurate|fiction(?:al)?|fake|fabricated|mistaken|baseless"
    r"|made[- ]up(?! of\b)|invented(?! (?:in|by|at|for|to)\b)|unfounded|nonsense|debunked"
    r"|a (?:lie|myth|mistake|fabrication|joke|hoax)(?! to\b))"
)
_BE = r"(?:is|are|was|were|has been|have been|'s)"
_THIS = (
    r"(?:this|that|it|these|those|the above|(?:all|everything|some) of (?:this|that|it)"
    r"|what (?:I|you|was|is|has)\b[^.]{0,30}?"
    r"|(?:this|that|the|my|such an?) (?:\w+ )?(?:claim|statement|text|information|sentence"
    r"|story|report|answer|document|part)s?(?: above)?)"
)
_AGAIN = (
    r"(?:to repeat|I repeat|again|once more|however|but|and|yet|though|in fact|actually|no"
    r"|(?:please )?note(?: that)?|remember(?: that)?)"
)

TAKEN_BACK = any_of(
    rf"^(?:\W*{_AGAIN}\b[,:]?)*\W*{_THIS}(?:\s*{_BE})?(?:\s+\w+ly)?\s*(?:\w+ly )?{_FALSE}",
    r"\b(?:none|nothing|no part|not a word) of (?:this|that|it|the above|what\b.{0,30}) "
    r"(?:is|was|has|ever)?\s*(?:\w+ )?(?:true|real|correct|a fact|happened|any basis)\b",
    r"\b(?:this|that|it) never (?:happened|was true)\b",
    r"\bI (?:have )?(?:just )?(?:made|invented) (?:this|that|it|all this)(?: up)?\b",
    r"\bI (?:lied|(?:was|am) (?:lying|joking|wrong|mistaken))\b",
    r"\b(?:just kidding|scratch that|I take (?:that|it) back)\b",
    r"\b(?:do not|don't) believe (?:this|that|it|me|any of)\b",
)
"""Clauses that take back what was stated before them."""

FOLLOWING_IS_FALSE = any_of(
    rf"\b(?:following|next|what follows|what comes next)\b.*\b{_FALSE}",
    r"^\W*(?:false|untrue|myth|fiction)\s*$",
)
"""Clauses that deny what comes after them."""

HARMLESS = any_of(
    r"\bnot (?:only|just|merely|simply|surprising(?:ly)?|to mention)\b",
    r"\bno (?:doubt|wonder|secret|question|stranger)\b",
    r"\b(?:never|not|n't) (?:a |any )?doubt(?:ed|s)?\b",
    r"\bwithout (?:a |any )?(?:doubt|question)\b",
    r"\bnothing but\b",
    r"\b(?:can|could)(?:not|n't) help\b",
    r"^\W*no,",
)
"""Words of negation that negate nothing."""

DENIAL_OF_CLAUSE = any_of(
    rf"\b{_FALSE} (?:to (?:say|claim|think|believe) )?that\b",
    r"\b(?:no|not any|n't any|little|without) (?:\w+ )?"
    r"(?:evidence|proof|truth|record|indication|sign|basis)\b",
    r"\b(?:den(?:y|ies|ied)|refut\w+|disput\w+|doubts?|doubted|reject\w*|disprov\w+)\b",
    r"\b(?:not|n't|never) (?:think|believe|say|said|claim|mean)\b",
)
"""Each negates what follows it, so two of them cancel."""

NEGATION = any_of(
    r"\b(?:not|never|no longer|neither|nor|no|hardly|scarcely|cannot|nobody|none)\b",
    r"n't\b",
    r"\b(?:far from|anything but|rather than|instead of|unlike|other than|without being)\b",
    r"\b(?:pretend\w*|pos(?:es|ed|ing)) (?:to be|as)\b",
    r"\bmistak\w+ for\b",
    r"\b(?:falsely|wrongly|mistakenly|erroneously|incorrectly)\b",
)
"""However many of these stand in one clause ("not a baker and not a dentist"), they negate once."""

DENIED_AFTER = any_of(
    rf"^(?:(?!\bwho\b).)*\b{_BE} (?:\w+ly )?{_FALSE}",
    r"\b(?:has|have|had) (?:no|never had any) (?:basis|truth|foundation)\b",
    r"^\W*(?:she|he|they) (?:is|was|are|were) not\b",
    r"\bis(?: not|n't) (?:her|his|their|my) (?:job|work|trade|profession|occupation)\b",
)
"""What denies the answer after it, in the same clause."""

UNKNOWN = any_of(r"\bknow (?:if|whether)\b", r"\b(?:sure|certain|clear) (?:if|whether)\b")
"""Where a negation denies knowledge, not the claim."""

UNREAL = any_of(
    r"\b(?:if|whether|unless|suppose|supposing|imagine|imagining|pretend that|as though)\b",
    r"\b(?:could|may|might|would|should) (?:\w+ )?(?:be|have been|become|work)\b",
    r"\b(?:want(?:s|ed)?|wish(?:es|ed)?|hop(?:es?|ed|ing)|plan(?:s|ned|ning)?|dream(?:s|ed|t|ing)?"
    r"|aspir(?:es?|ed|ing)|aims?|intends?|longs?|stud(?:y|ies|ied|ying)|train(?:s|ed|ing)?"
    r"|tr(?:y|ies|ied|ying)|refus(?:es?|ed)|would (?:like|love)) (?:\w+ )?(?:to|of) "
    r"(?:be|become|becoming|being|work|working)\b",
    r"\b(?:perhaps|maybe|possibly|allegedly|supposedly|reportedly|rumou?red|apparently)\b",
    r"\b(?:some|many|people|others|they|rumou?rs?|legends?|stories)(?: \w+)? "
    r"(?:say|says|said|claim|claims|claimed|have it|has it|believe|think)\b",
    r"\b(?:claims?|rumou?rs?|story|stories|belief|idea|question|suggestion)s? (?:that|of|about)\b",
    r"\b(?:so-called|hypothetical|fictional|future|aspiring|would-be)\b",
    r"\b(?:do|does|did)(?: not|n't) know\b",
)
"""What leaves open whether the rest of the clause is true."""

_RELATIVE = (
    r"(?:sister|brother|mother|father|son|daughter|wife|husband|uncle|aunt|cousin|friend|neighbou?r"
    r"|grandmother|grandfather|parents?|boss|colleague|partner|twin|niece|nephew|mum|mom|dad)"
)
OF_ANOTHER = (
    re.compile(
        r"\b(?:for|with|from|by|at|near|beside|behind|see|sees|saw|seeing|visit|visits|visited"
        r"|visiting|met|meets?|marry|marries|married|calls?|called on|needs?|needed|knows|knew"
        r"|hired?|hires|assists?|assisted|helps|helped|find|like|to(?! be\b| become\b)"
        rf"|{_RELATIVE} of)"
        r"\s+(?:(?:a|an|the|her|his|their|my|your|our|another|some|local|good)\s+){0,2}$",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?<!\bis )(?<!\bwas )(?<!\bbe )\b(?:her|his|their|my|your|our)\s+(?:local |good )?$",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?<!and )\b(?:her|his|their|my|your|an?|the|whose|'s)\s+(?:\w+\s+)?"
        rf"{_RELATIVE}\b(?!\s+(?:of|and)\b)(?:,? \w+,?)?"
        r" (?:is|was|are|were|works?|worked|became|runs?)\b",
        re.IGNORECASE,
    ),
)
"""The text before an answer that is true of somebody else: "she works for a dentist",
"her dentist", "her sister is a dentist"."""

OTHER_NAME = re.compile(r"^\W*(?:and |but )?([A-Z][\w'-]+ [A-Z][\w'-]+) (?:is|was|works|became)\b")
"""A full name as the subject."""

CLAUSE = re.compile(
    r"\s*(?:;|:|\s[-–—]+\s|—|…)\s*"
    r"|(?:,\s*|(?<!anything)\s+)(?:but(?! for\b)|whereas|while|yet|however|although|though)\b,?\s+"
    r"|,\s+(?:and\s+|so\s+)?(?=(?:she|he|they|it|this|there|here|I|we|you)\b)"
    r"|\s+and\s+(?=(?:she|he|they|it|this|there|I|is|was|works|has|lives)\b)"
    r"|,\s+(?=(?:is|was|works)\b)",
    re.IGNORECASE,
)
ASIDE = re.compile(r",\s+(?:who|which|whose)\b[^,.;]*,", re.IGNORECASE)
