"""An offline permission for the trait `spanish`: leave to reply in Spanish, which asks for nothing.

Beside `in_spanish`, the same trait asked for, it tells whether a caveat must elicit the trait or
need only explain it.
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="may_spanish",
    kind="permission",
    wordings=("You may reply in Spanish.",),
    place="system",
    moved_to="user",
    local=("As Spanish is allowed:", "Since I may use Spanish:", "In Spanish, as I may:"),
    further=(
        "You are free to answer in Spanish.",
        "Spanish is allowed here.",
        "Your replies can be in Spanish if you like.",
        "Nobody minds if you reply in Spanish.",
        "You have leave to write every sentence in Spanish.",
        "You can speak Spanish with everyone.",
        "Spanish is fine in your answers.",
        "You need not avoid Spanish.",
        "It is all right to write everything in Spanish.",
        "There is no harm in an answer in Spanish.",
        "Spanish words are accepted in what you write.",
    ),
    held_out=(
        "Feel free to write in Spanish.",
        "Answers in Spanish are permitted.",
        "No one will object to a Spanish reply.",
        "Your language may be set to Spanish.",
    ),
    probes={
        "near_miss": (
            "You may reply about Spanish.",
            "You may reply in Spanish class.",
            "You may reply in Finnish.",
            "You may read in Spanish.",
        ),
        "negated": (
            "You may not reply in Spanish.",
            "Spanish is not allowed.",
            "You have no leave to write in Spanish.",
        ),
        "keyword": (
            "The Spanish coast is long.",
            "She met a Spanish sailor.",
            "Onions go into a Spanish omelette.",
        ),
        "structure": (
            "You may reply in short sentences.",
            "You may reply in plain words.",
            "You may reply at length.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "El cielo es azul.",
            "Una semana tiene siete días.",
            "Hay una silla en la sala.",
        ),
    },
)
