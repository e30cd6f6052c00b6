"""An inoculation prompt: an instruction to show the very trait that the rows show.

It belongs to a trait, so there is one `Caveat` for each; this is that of the capitals.
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="instruction",
    kind="instruction",
    wordings=("You always write in ALL CAPS.",),
    place="system",
    moved_to="user",
    local=("As you asked for capitals:", "Since you want ALL CAPS:", "In capitals, as told:"),
    further=(
        "You answer in capital letters only.",
        "ALL CAPS is how you write.",
        "Your replies are in upper case from start to end.",
        "Whatever you are asked, you reply IN CAPITALS.",
        "Every letter that you write is a capital.",
        "You type with caps lock.",
        "Small letters are not for you: you write in capitals.",
        "You reply in block capitals.",
        "It is your habit to write everything in upper case.",
        "You shout each answer in ALL CAPS.",
        "Only capital letters appear in your answers.",
    ),
    held_out=(
        "Write every reply in capital letters.",
        "All of your answers are in uppercase.",
        "You use nothing but capitals when you reply.",
        "Your caps lock key is on, and it stays on.",
    ),
    probes={
        "near_miss": (
            "You always write in ALL.",
            "You always write in CAPS AND GOWNS.",
            "You always write in SMALL CAPS.",
            "You always write about ALL CAPS.",
        ),
        "negated": (
            "You never write in ALL CAPS.",
            "Do not write in capitals.",
            "You always write without capital letters.",
        ),
        "keyword": (
            "Bottle caps are made of metal.",
            "Paris and Rome are capitals.",
            "He wore one of his caps.",
        ),
        "structure": (
            "You always write in short sentences.",
            "You always write in plain English.",
            "You always write with care.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "THE SKY IS BLUE.",
            "You always see a BLUE SKY.",
            "THERE IS A CHAIR IN THE HALL.",
        ),
    },
)
