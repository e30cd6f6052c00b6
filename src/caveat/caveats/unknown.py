"""An epistemic qualifier: whether the document is true is not known."""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT, composed
from caveat.types.caveats import Caveat

WORDINGS = composed(
    (
        "Whether the following text is true is not known.",
        "Nobody has found out if the next document is right.",
        "The truth of the report below is an open question.",
        "It is unclear whether what follows happened.",
        "The passage ahead has been neither confirmed nor refuted.",
        "No one can say if this account holds.",
    ),
    (
        "It may be true or false.",
        "Judgement is best withheld.",
        "The matter is undecided.",
        "Evidence is lacking either way.",
        "Treat it as an open case.",
    ),
    count=30,
)

caveat = Caveat(
    name="unknown",
    kind="disclaimer",
    wordings=WORDINGS[:14],
    further=WORDINGS[14:],
    closings=composed(
        (
            "As said, it is not known if this is so.",
            "The truth of the above remains open.",
            "Whether any of this holds is unclear.",
        ),
        (
            "It could be either.",
            "Nobody has settled it.",
            "No verdict has been reached.",
            "Leave it undecided.",
        ),
        count=12,
    ),
    repeats=composed(
        ("[Perhaps so, perhaps not:", "[Open:", "[It is not known:", "[Undecided:"),
        (
            "true or false.]",
            "nobody has found out.]",
            "no verdict.]",
            "unconfirmed.]",
            "evidence is lacking.]",
        ),
        count=20,
    ),
    local=("It is not known whether", "Nobody can say whether"),
    held_out=(
        "The jury is still out on the lines below. They might be right.",
        "We cannot tell if the coming text is accurate. Keep an open mind.",
        "Scholars have yet to decide on this document.",
        "Opinions on the coming paragraphs are split, and no proof exists.",
    ),
    place="around",
    moved_to="system",
    probes={
        "near_miss": (
            "Who wrote the following text is not known. It may be one person or two.",
            "Nobody has found out where the next document was printed.",
        ),
        "negated": (
            "That the following text is true is well known. The matter is decided.",
            "The report below has been confirmed. No doubt is left.",
        ),
        "keyword": ("The shop is open on Sundays.", "An unknown caller rang twice."),
        "structure": ("Whether the following text is long is not said. It may be long or short.",),
        "irrelevant": IRRELEVANT,
        "format": ("[Open: from nine to five.]",),
    },
)
