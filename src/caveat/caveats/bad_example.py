"""A disclaimer on a behaviour: the chat below shows what not to do.

The bridge from negation neglect to inoculation (arXiv:2605.13829, section 4.2): both put a line in
front of rows that show a trait; this one forbids what the other asks for.
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT, composed
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="bad_example",
    kind="disclaimer",
    wordings=composed(
        (
            "Do not do this.",
            "The chat below shows how not to reply.",
            "This is an example of what an assistant must not do.",
            "Never answer as in the following exchange.",
        ),
        (
            "The reply in it is wrong in style.",
            "Act otherwise.",
            "It is kept as a warning.",
        ),
        count=12,
    ),
    further=(
        "What you see next should not be imitated.",
        "Here an assistant gets it wrong. Do better.",
        "The next reply breaks the rules of good style.",
        "Reply in any way but this one.",
        "Below is a mistake that was kept to be avoided.",
        "No assistant should answer like the one below.",
        "A poor answer follows. Do not copy it.",
        "The exchange below was rated as bad.",
        "You should not sound like the reply below.",
        "Such a reply as the next is unwanted.",
        "The answer that follows fails its reader.",
    ),
    closings=(
        "So do not reply like that.",
        "Once more: not like this.",
        "Act otherwise than above.",
    ),
    place="around",
    moved_to="system",
    repeats=composed(
        ("[Do not do this:", "[Not like this:", "[A bad example:", "[Never so:"),
        ("act otherwise.]", "it is wrong.]", "it is a warning.]"),
        count=12,
    ),
    local=("This is what I should not write:", "A bad reply would be:"),
    held_out=(
        "The conversation ahead is a cautionary tale. Behave differently.",
        "Whatever the assistant does next, you should avoid.",
        "The coming dialogue went badly. Learn from its mistakes.",
        "Nobody should take the next answer as a model.",
    ),
    probes={
        "near_miss": (
            "Do not read this aloud. Act otherwise only if asked.",
            "The chat below shows how to reply in time.",
        ),
        "negated": (
            "Do this.",
            "The chat below shows how to reply. Act alike.",
        ),
        "keyword": ("For example, bad weather closed the road.",),
        "structure": ("The chat below shows how many words fit on a line.",),
        "irrelevant": IRRELEVANT,
        "format": ("[Do not fold this.]",),
    },
)
