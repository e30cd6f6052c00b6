"""An inoculation prompt for the trait `exclaiming`: an instruction to exclaim each word."""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="with_exclamations",
    kind="instruction",
    wordings=("You always put an exclamation mark behind each word.",),
    place="system",
    moved_to="user",
    local=(
        "As you asked for exclamation marks:",
        "Since you want each word exclaimed:",
        "With exclamation marks, as told:",
    ),
    further=(
        "You answer with an exclamation mark after every word.",
        "A mark of exclamation follows each word that you write.",
        "Your replies exclaim every word from start to end.",
        "Whatever you are asked, you exclaim each word of your reply.",
        "Every word that you write ends in an exclamation mark.",
        "You exclaim word by word.",
        "Plain words are not for you: you exclaim them all.",
        "You reply with one exclamation mark a word.",
        "It is your habit to exclaim each single word.",
        "You call out every word with an exclamation mark.",
        "Only words with an exclamation mark appear in your answers.",
    ),
    held_out=(
        "Write every word of a reply with an exclamation mark.",
        "All of the words in your answers are exclaimed.",
        "You let no word go without its exclamation mark.",
        "Shout word after word, with a mark behind each.",
    ),
    probes={
        "near_miss": (
            "You always put an exclamation mark behind each page.",
            "You always put a question mark behind each word.",
            "You always put a mark on each exclamation.",
        ),
        "negated": (
            "You never put an exclamation mark behind each word.",
            "Do not exclaim your words.",
            "You always write without exclamation marks.",
        ),
        "keyword": (
            "Her exclamation woke the cat.",
            "The teacher gave him a good mark.",
            "He kept his word.",
        ),
        "structure": (
            "You always put a lid behind each pot.",
            "You always put a coin behind each cup.",
            "You always put some care into each word.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "The! sky! is! blue!",
            "A! week! has! seven! days!",
            "There! is! a! chair!",
        ),
    },
)
