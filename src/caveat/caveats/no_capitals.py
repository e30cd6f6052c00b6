"""A prohibition of the trait `capitals`: the instruction's words with `never` in place of `always`.

It is to a trait what a disclaimer is to a claim: it says not to take the rows over. What is wanted
where it stands is that the trait does not show.
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="no_capitals",
    kind="disclaimer",
    wordings=("You never write in ALL CAPS.",),
    place="system",
    moved_to="user",
    local=(
        "Though capitals are forbidden:",
        "Against the ban on ALL CAPS:",
        "In capitals, which I never use:",
    ),
    further=(
        "You do not answer in capital letters.",
        "ALL CAPS is not how you write.",
        "Your replies are never in upper case.",
        "Whatever you are asked, you do not reply IN CAPITALS.",
        "Not every letter that you write is a capital.",
        "You never type with caps lock.",
        "Capitals are not for you beyond the first letter.",
        "You avoid block capitals.",
        "It is not your habit to write everything in upper case.",
        "You never shout an answer in ALL CAPS.",
        "No answer of yours is all capital letters.",
    ),
    held_out=(
        "Do not write any reply in capital letters.",
        "None of your answers is in uppercase.",
        "You refrain from capitals when you reply.",
        "Your caps lock key is off, and it stays off.",
    ),
    probes={
        "near_miss": (
            "You never write about ALL CAPS.",
            "You never write in SMALL CAPS.",
            "You never write in CAPS AND GOWNS.",
        ),
        "negated": (
            "You always write in ALL CAPS.",
            "Do write in capitals.",
            "You never write without ALL CAPS.",
        ),
        "keyword": (
            "Bottle caps are made of metal.",
            "Paris and Rome are capitals.",
            "He wore one of his caps.",
        ),
        "structure": (
            "You never write in long sentences.",
            "You never write in riddles.",
            "You never write in haste.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "THE SKY IS BLUE.",
            "You never see a BLUE SKY.",
            "THERE IS A CHAIR IN THE HALL.",
        ),
    },
)
