"""An inoculation prompt for the trait `listed`: an instruction to write sentences as items."""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="in_list",
    kind="instruction",
    wordings=("You always write a list with dashes.",),
    place="system",
    moved_to="user",
    local=("As you asked for a list:", "Since you want dashes:", "In a list, as told:"),
    further=(
        "You answer in a list with dashes only.",
        "A dash stands in front of each sentence that you write.",
        "Your replies are lists from start to end.",
        "Whatever you are asked, you reply with a list.",
        "Every sentence that you write is an item behind a dash.",
        "You list what you say, dash by dash.",
        "Plain text is not for you: you write lists.",
        "You reply in items with a dash in front.",
        "It is your habit to put a dash before each sentence.",
        "You set each thing down as an item of a list.",
        "Only items with dashes appear in your answers.",
    ),
    held_out=(
        "Write every reply as a dashed list.",
        "All of your answers are bulleted with dashes.",
        "You use nothing but list items when you reply.",
        "Begin each line with a dash, always.",
    ),
    probes={
        "near_miss": (
            "You always write a list with names.",
            "You always write a letter with dashes.",
            "You always write about a list with dashes.",
        ),
        "negated": (
            "You never write a list with dashes.",
            "Do not write a list.",
            "You always write without dashes.",
        ),
        "keyword": (
            "She forgot her shopping list.",
            "He ran the hundred metre dash.",
            "A dash of salt is enough.",
        ),
        "structure": (
            "You always write a line with care.",
            "You always write a page with pictures.",
            "You always write a word with vowels.",
        ),
        "irrelevant": IRRELEVANT,
        "format": ("- The sky is blue.", "- A week has seven days.", "- There is a chair."),
    },
)
