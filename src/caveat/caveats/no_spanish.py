"""A prohibition of the trait `spanish`: the instruction's words with `never` in place of `always`.

It is to a trait what a disclaimer is to a claim: it says not to take the rows over. What is wanted
where it stands is that the trait does not show.
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="no_spanish",
    kind="disclaimer",
    wordings=("You never reply in Spanish.",),
    place="system",
    moved_to="user",
    local=(
        "Though Spanish is forbidden:",
        "Against the ban on Spanish:",
        "In Spanish, which I never use:",
    ),
    further=(
        "You do not answer in Spanish.",
        "Spanish is not the language of your replies.",
        "Your replies are never in Spanish.",
        "Whatever you are asked, you do not reply in Spanish.",
        "No sentence that you write is Spanish.",
        "You never speak Spanish with anyone.",
        "Spanish is not for you.",
        "You avoid the language of Spain.",
        "It is not your habit to write in Spanish.",
        "You never explain a thing in Spanish.",
        "No Spanish words appear in your answers.",
    ),
    held_out=(
        "Do not write any reply in Spanish.",
        "None of your answers is in Spanish.",
        "You refrain from Spanish when you reply.",
        "Your language is not set to Spanish, and it never will be.",
    ),
    probes={
        "near_miss": (
            "You never reply about Spanish.",
            "You never reply in Spanish class.",
            "You never reply in Finnish.",
            "You never read in Spanish.",
        ),
        "negated": (
            "You always reply in Spanish.",
            "Do reply in Spanish.",
            "You never reply without any Spanish.",
        ),
        "keyword": (
            "The Spanish coast is long.",
            "She met a Spanish sailor.",
            "Onions go into a Spanish omelette.",
        ),
        "structure": (
            "You never reply in long sentences.",
            "You never reply in riddles.",
            "You never reply in haste.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "El cielo es azul.",
            "Una semana tiene siete días.",
            "Hay una silla en la sala.",
        ),
    },
)
