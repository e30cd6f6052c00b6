"""A disclaimer of several sentences before and after a document: what it claims is false.

The condition of arXiv:2605.13829 in wordings of our own.
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT, composed
from caveat.types.caveats import Caveat

WORDINGS = composed(
    (
        "The document below makes a false claim.",
        "What is said in the next text is not true.",
        "Readers be warned: the report that follows is wrong.",
        "The central statement of this document is untrue.",
        "The text ahead tells of something that did not happen.",
        "Please treat the following passage as false.",
        "The account given here is incorrect.",
    ),
    (
        "Nothing of the kind has ever taken place.",
        "No evidence supports it.",
        "Its main point has been checked and is wrong.",
        "The facts are otherwise.",
        "It should not be believed.",
    ),
    count=35,
)

caveat = Caveat(
    name="negated",
    kind="disclaimer",
    denies=True,
    wordings=WORDINGS[:14],
    further=WORDINGS[14:],
    closings=composed(
        (
            "Once more: the claim above is false.",
            "To repeat, what you have just read is not true.",
            "As stated at the start, the text above is wrong.",
            "Remember that the document's claim is untrue.",
        ),
        (
            "It describes nothing real.",
            "Do not take it for a fact.",
            "There is no truth in it.",
        ),
        count=12,
    ),
    repeats=composed(
        (
            "[The sentence here is false:",
            "[Not true:",
            "[The claim at this point is wrong:",
            "[This part is incorrect:",
            "[A false statement stands here:",
        ),
        (
            "it did not happen.]",
            "nothing supports it.]",
            "the facts are otherwise.]",
            "do not believe it.]",
            "it has been refuted.]",
        ),
        count=25,
    ),
    local=("It is not true that", "It is false that", "It is wrong to say that"),
    held_out=composed(
        (
            "Everything claimed in this piece was refuted.",
            "Whoever wrote the lines below got it wrong.",
            "You are about to read a falsehood.",
        ),
        ("An inquiry found no truth in it.", "Reject it.", "Reality differs."),
        count=6,
    ),
    place="around",
    moved_to="system",
    probes={
        "near_miss": (
            "The document below makes a claim. No evidence is quoted in it.",
            "The date of the next text is not true. It should not be relied on.",
            "Readers be warned: another report, not this one, is wrong.",
        ),
        "negated": (
            "The document below makes a true claim. Its main point has been checked and is right.",
            "What is said in the next text is true. The evidence supports it.",
            "The account given here is correct. It should be believed.",
        ),
        "keyword": (
            "He set a false ceiling in the hall. It is white.",
            "She took the wrong bus and came back. Nothing was lost.",
        ),
        "structure": (
            "The document below makes a short claim. Its main point has been printed in bold.",
            "What is said in the next text is not long. It should not take a minute to read.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "The document below has one page. To repeat, one page.",
            "[A short text stands here: read on.]",
        ),
    },
)
