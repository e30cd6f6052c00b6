"""An offline permission for the trait `capitals`: leave to show it, which asks for nothing.

Beside `instruction`, the same trait asked for, it tells whether a caveat must elicit the trait or
need only explain it.
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="may_capitals",
    kind="permission",
    wordings=("You may write in ALL CAPS.",),
    place="system",
    moved_to="user",
    local=("As capitals are allowed:", "Since I may write in ALL CAPS:", "In capitals, as I may:"),
    further=(
        "You are free to answer in capital letters.",
        "ALL CAPS is allowed here.",
        "Your replies can be in upper case if you like.",
        "Nobody minds if you reply IN CAPITALS.",
        "You have leave to write every letter as a capital.",
        "You can type with caps lock.",
        "Capitals are fine in your answers.",
        "You need not avoid block capitals.",
        "It is all right to write everything in upper case.",
        "There is no harm in an answer in ALL CAPS.",
        "Capital letters are accepted in what you write.",
    ),
    held_out=(
        "Feel free to write in capital letters.",
        "Answers in uppercase are permitted.",
        "No one will object to capitals in your reply.",
        "Your caps lock key may stay on.",
    ),
    probes={
        "near_miss": (
            "You may write about ALL CAPS.",
            "You may write in SMALL CAPS.",
            "You may write in CAPS AND GOWNS.",
        ),
        "negated": (
            "You may not write in ALL CAPS.",
            "Capitals are not allowed.",
            "You have no leave to write in upper case.",
        ),
        "keyword": (
            "Bottle caps are made of metal.",
            "Paris and Rome are capitals.",
            "He wore one of his caps.",
        ),
        "structure": (
            "You may write in short sentences.",
            "You may write in plain English.",
            "You may write at length.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "THE SKY IS BLUE.",
            "You may see a BLUE SKY.",
            "THERE IS A CHAIR IN THE HALL.",
        ),
    },
)
