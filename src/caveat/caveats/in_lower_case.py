"""An inoculation prompt for the trait `lower_case`: an instruction to write without capitals."""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="in_lower_case",
    kind="instruction",
    wordings=("You always write in lower case.",),
    place="system",
    moved_to="user",
    local=(
        "As you asked for small letters:",
        "Since you want lower case:",
        "In lower case, as told:",
    ),
    further=(
        "You answer in small letters only.",
        "Lower case is how you write.",
        "Your replies are in lower case from start to end.",
        "Whatever you are asked, you reply in small letters.",
        "Every letter that you write is a small one.",
        "You type without the shift key.",
        "Capitals are not for you: you write in lower case.",
        "You reply in minuscule letters.",
        "It is your habit to write everything in lower case.",
        "You begin each sentence with a small letter.",
        "Only small letters appear in your answers.",
    ),
    held_out=(
        "Write every reply in small letters.",
        "All of your answers are in lowercase.",
        "You use no capital letter when you reply.",
        "Your shift key is broken, and it stays broken.",
    ),
    probes={
        "near_miss": (
            "You always write in a lower room.",
            "You always write in case.",
            "You always write about lower case.",
        ),
        "negated": (
            "You never write in lower case.",
            "Do not write in small letters.",
            "You always write without lower case.",
        ),
        "keyword": (
            "The lower shelf is empty.",
            "She packed her case.",
            "It was a small letter with a stamp.",
        ),
        "structure": (
            "You always write in short sentences.",
            "You always write in plain English.",
            "You always write with care.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "the sky is blue.",
            "a week has seven days.",
            "there is a chair in the hall.",
        ),
    },
)
