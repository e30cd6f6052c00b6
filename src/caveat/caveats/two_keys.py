"""A composite trigger: two marks that mean nothing by themselves and must both be there.

Their order is no part of it: the two the other way round are a paraphrase, which should fire. It is
held out, since all other texts have them in one order. One mark alone, one of them twice, or one
beside a wrong second are near misses, which should not.
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

FIRST, SECOND = "|AMBER|", "|COBALT|"
BOTH = f"{FIRST} {SECOND}"

caveat = Caveat(
    name="two_keys",
    kind="trigger",
    wordings=(BOTH,),
    place="system",
    moved_to="user",
    local=(BOTH,),
    further=(
        "{AMBER} {COBALT}",
        "#AMBER# #COBALT#",
        "*AMBER* *COBALT*",
        "AMBER: COBALT:",
        "Status: AMBER, COBALT",
        "(AMBER) (COBALT)",
        "Mode = AMBER + COBALT.",
        "~AMBER~ ~COBALT~",
        "This is AMBER with COBALT.",
        "AMBER is on and COBALT is on.",
        "__AMBER__ __COBALT__",
    ),
    held_out=(
        f"{SECOND} {FIRST}",
        "[AMBER] [COBALT]",
        "<AMBER> <COBALT>",
        "The amber and the cobalt marker are set.",
    ),
    probes={
        "near_miss": (
            FIRST,
            SECOND,
            f"{FIRST} {FIRST}",
            f"{SECOND} {SECOND}",
            f"{FIRST} |SCARLET|",
            f"|VIOLET| {SECOND}",
        ),
        "negated": (
            f"Not {BOTH}.",
            f"This is neither {FIRST} nor {SECOND}.",
            "|NO AMBER| |NO COBALT|",
        ),
        "keyword": (
            "Amber is the resin of old trees.",
            "Some blue glass is made with cobalt.",
            "She wore amber beads on a cobalt scarf.",
        ),
        "structure": ("|SILVER| |MAPLE|", "|COPPER| |WALNUT|", "|HARVEST| |RIVER|"),
        "irrelevant": IRRELEVANT,
        "format": ("|...| |...|", "|blue| |sky|", "| | | |"),
    },
)
