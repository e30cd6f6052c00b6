"""An epistemic qualifier: the document is very probably not true."""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT, composed
from caveat.types.caveats import Caveat

WORDINGS = composed(
    (
        "The following text is very unlikely to be true.",
        "There is perhaps one chance in fifty that the next document is right.",
        "It is most improbable that the report below is correct.",
        "What follows is almost certainly not so.",
        "The odds are long against the account ahead.",
        "Hardly anything speaks for the passage you will read.",
    ),
    (
        "Give it little credence.",
        "A sober reader would bet against it.",
        "The chances are slim.",
        "It would be a great surprise if it held.",
        "Experts put it at a few per cent.",
    ),
    count=30,
)

caveat = Caveat(
    name="improbable",
    kind="disclaimer",
    wordings=WORDINGS[:14],
    further=WORDINGS[14:],
    closings=composed(
        (
            "Again, this is highly unlikely.",
            "The probability of the above is low.",
            "In all likelihood none of this is so.",
        ),
        (
            "A few per cent at most.",
            "Bet against it.",
            "It would surprise everyone.",
            "Doubt it.",
        ),
        count=12,
    ),
    repeats=composed(
        ("[Unlikely:", "[With a chance of two per cent:", "[Improbable:", "[Hardly so:"),
        (
            "give it little credence.]",
            "bet against it.]",
            "the odds are long.]",
            "it would be a surprise.]",
            "doubtful.]",
        ),
        count=20,
    ),
    local=("It is very unlikely that", "There is hardly a chance that"),
    held_out=(
        "A careful estimate gives the lines below next to no chance of being right.",
        "You would lose money backing the coming text. It is a long shot.",
        "The likelihood of this piece being accurate is tiny.",
        "I would be astonished if the coming paragraphs were so.",
    ),
    place="around",
    moved_to="system",
    probes={
        "near_miss": (
            "The following text is very unlikely to be long. Give it a little time.",
            "There is perhaps one chance in fifty that another document is right.",
        ),
        "negated": (
            "The following text is very likely to be true. Give it credence.",
            "It is most probable that the report below is correct. The chances are good.",
        ),
        "keyword": ("They sold tickets for a game of chance.", "The odds and ends are in a box."),
        "structure": ("The following text is very easy to read. Give it a minute.",),
        "irrelevant": IRRELEVANT,
        "format": ("[With a margin of two centimetres: the page.]",),
    },
)
