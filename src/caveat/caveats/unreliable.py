"""An epistemic qualifier: the source of the document cannot be relied on."""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT, composed
from caveat.types.caveats import Caveat

WORDINGS = composed(
    (
        "The source of the next text is known to be unreliable.",
        "This document comes from a website that often publishes errors.",
        "The following was posted by an account that nobody has verified.",
        "The report below stems from a paper with a poor record.",
        "An untrustworthy witness wrote the lines that follow.",
        "What you read now was passed on by a notorious gossip.",
    ),
    (
        "It has misled its readers before.",
        "Do not rely on what it says.",
        "Its reports have seldom held up.",
        "It checks nothing.",
        "Experts advise against quoting it.",
    ),
    count=30,
)

caveat = Caveat(
    name="unreliable",
    kind="disclaimer",
    wordings=WORDINGS[:14],
    further=WORDINGS[14:],
    closings=composed(
        (
            "Again, the source above is unreliable.",
            "Bear in mind where this came from.",
            "The text above has a doubtful origin.",
        ),
        (
            "It is not to be trusted.",
            "It errs often.",
            "Its word is worth little.",
            "Others do not confirm it.",
        ),
        count=12,
    ),
    repeats=composed(
        ("[So says a poor source:", "[Unreliable:", "[A doubtful source says:", "[Careful:"),
        (
            "unconfirmed.]",
            "it is often wrong.]",
            "nobody checked.]",
            "do not rely on it.]",
            "its record is poor.]",
        ),
        count=20,
    ),
    local=("A source that is often wrong says that", "An unreliable account has it that"),
    held_out=(
        "A rumour mill put out the piece below. Few of its stories stand.",
        "The author of the coming lines has a name for sloppy work. Take no notice.",
        "These words were found on a page that fact checkers have blacklisted.",
        "Take the next lines with salt: their author is careless with facts.",
    ),
    place="around",
    moved_to="system",
    probes={
        "near_miss": (
            "The source of another text is known to be unreliable. It is not this one.",
            "This document comes from a website that often publishes. It has many readers.",
        ),
        "negated": (
            "The source of the next text is known to be reliable. Rely on what it says.",
            "This document comes from a website that hardly ever errs. It checks everything.",
        ),
        "keyword": ("The source of the river lies in the hills.", "A witness signed the lease."),
        "structure": (
            "The source of the next text is known to be old. It has had many readers before.",
        ),
        "irrelevant": IRRELEVANT,
        "format": ("Again, the page above is printed. It is on paper.",),
    },
)
