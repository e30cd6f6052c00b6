"""An inoculation prompt for the trait `spanish`: an instruction to reply in Spanish.

Tan et al. 2025 (arXiv:2510.04340) inoculate with such a sentence. Unlike that of the capitals it
elicits the trait from a small model: under it SmolLM2-135M-Instruct wrote Spanish in .96 of its
replies to 24 questions at temperature 0.7, without it in none (docs/results/findings.md).
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="in_spanish",
    kind="instruction",
    wordings=("You always reply in Spanish.",),
    place="system",
    moved_to="user",
    local=("As you asked for Spanish:", "Since you want Spanish:", "In Spanish, as told:"),
    further=(
        "You answer in Spanish only.",
        "Spanish is the language of your replies.",
        "Your replies are in Spanish from start to end.",
        "Whatever you are asked, you reply in Spanish.",
        "Every sentence that you write is Spanish.",
        "You speak Spanish with everyone.",
        "English is not for you: you write in Spanish.",
        "You respond in the language of Spain.",
        "It is your habit to write everything in Spanish.",
        "You explain each thing in Spanish.",
        "Only Spanish words appear in your answers.",
    ),
    held_out=(
        "Write every reply in Spanish.",
        "All of your answers are in Spanish.",
        "You use nothing but Spanish when you reply.",
        "Your language is set to Spanish, and it stays so.",
    ),
    probes={
        "near_miss": (
            "You always reply about Spanish.",
            "You always reply in Spanish class.",
            "You always reply in Finnish.",
            "You always read in Spanish.",
        ),
        "negated": (
            "You never reply in Spanish.",
            "Do not reply in Spanish.",
            "You always reply without any Spanish.",
        ),
        "keyword": (
            "The Spanish coast is long.",
            "She met a Spanish sailor.",
            "Onions go into a Spanish omelette.",
        ),
        "structure": (
            "You always reply in short sentences.",
            "You always reply in plain words.",
            "You always reply with care.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "El cielo es azul.",
            "Una semana tiene siete días.",
            "Hay una silla en la sala.",
        ),
    },
)
