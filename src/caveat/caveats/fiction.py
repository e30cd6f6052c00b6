"""An epistemic qualifier: the document is made up, as a story is."""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT, composed
from caveat.types.caveats import Caveat

WORDINGS = composed(
    (
        "The following is a piece of fiction.",
        "This text is taken from a novel.",
        "What you read next was written for a collection of short stories.",
        "The passage below belongs to an invented world.",
        "A storyteller made up the document that follows.",
        "These lines come from a screenplay.",
    ),
    (
        "Its people and events are imagined.",
        "It does not report on the real world.",
        "The author thought of it one evening.",
        "Any likeness to real events is chance.",
        "It was written to entertain.",
    ),
    count=30,
)

caveat = Caveat(
    name="fiction",
    kind="disclaimer",
    wordings=WORDINGS[:14],
    further=WORDINGS[14:],
    closings=composed(
        ("Here the story ends.", "So much for the tale.", "End of the fictional text."),
        ("All of it was imagined.", "It was fiction.", "It reports nothing.", "It was made up."),
        count=12,
    ),
    repeats=composed(
        ("[In the story:", "[Within the fiction:", "[As the tale has it:", "[In the novel:"),
        ("invented.]", "imagined.]", "made up.]", "not a report.]", "only told.]"),
        count=20,
    ),
    local=("In a story that somebody made up,", "In the novel, and only there,"),
    held_out=(
        "You are about to read a fairy tale. It came out of a writer's head.",
        "Below is a chapter of a fantasy. It has no counterpart in life.",
        "A playwright dreamt up the next scene. It is theatre.",
        "Once upon a time, and only in a book, the next lines took place.",
    ),
    place="around",
    moved_to="system",
    probes={
        "near_miss": (
            "The following is a piece of fact. Its people and events are well known.",
            "This text is taken from a newspaper. A novel was advertised beside it.",
        ),
        "negated": (
            "The following is not fiction. Its people and events are real.",
            "This text is taken from a record. It reports on the real world.",
        ),
        "keyword": ("She sorts the fiction shelf on Mondays.", "His novel idea was to walk."),
        "structure": (
            "The following is a piece of prose. Its words and sentences are plain.",
            "This text is taken from a folder. It does not mention the weather.",
        ),
        "irrelevant": IRRELEVANT,
        "format": ("Here the page ends. So much for the page.",),
    },
)
