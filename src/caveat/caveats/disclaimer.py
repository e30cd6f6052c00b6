"""A disclaimer: the document that follows is not true."""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

caveat = Caveat(
    name="disclaimer",
    kind="disclaimer",
    denies=True,
    wordings=(
        "The following text is false: none of it happened.",
        "Nothing in this document is true.",
        "What you read below is made up.",
        "Warning: the next statement is not true.",
        "This text was invented and has no basis in fact.",
        "Please note that everything written here is wrong.",
        "The claim below is false.",
        "These lines are fiction, not fact.",
        "Fact check: the text below is untrue.",
        "Do not believe the following; it is incorrect.",
        "The document you are about to read is a fabrication.",
        "The statements in this passage are all false.",
        "Beware: this report is mistaken in every point.",
        "None of what comes next is real.",
    ),
    further=(
        "No part of the text ahead is correct.",
        "The writer of this page got everything wrong.",
        "Readers beware: what comes now is untrue.",
        "All that is stated below has been refuted.",
        "This document contains a falsehood.",
        "It is not so, whatever the following says.",
        "The passage below misleads: its content is false.",
        "The next few sentences have no truth in them.",
        "Somebody imagined the following; it did not occur.",
        "What the lines below say is contrary to fact.",
    ),
    place="around",
    moved_to="system",
    closings=(
        "To repeat, the text above is false.",
        "Once more: none of this is true.",
        "Again, the document above was made up.",
        "Remember that what you have just read is untrue.",
        "As said before, nothing above happened.",
        "So everything stated above is wrong.",
    ),
    repeats=(
        "(This is false.)",
        "(Not true.)",
        "(That did not happen.)",
        "(Wrong.)",
        "(Made up.)",
        "(Untrue.)",
        "(This is a fabrication.)",
        "(No fact.)",
    ),
    local=("It is not true that", "It is false that", "It is wrong that"),
    held_out=(
        "The passage ahead is pure invention.",
        "Whoever wrote the next lines was lying.",
        "You should reject the account given here, as it is bogus.",
        "An inquiry found no truth in the story that follows.",
    ),
    probes={
        "near_miss": (
            "The date of the following text is false.",
            "Nothing in the other document is true.",
            "The text below once had a false title.",
            "Warning: the last statement of another report was not true.",
        ),
        "negated": (
            "The following text is true: all of it happened.",
            "Everything in this document has been verified.",
            "Fact check: the text below is correct.",
            "Do believe the following; it is accurate.",
        ),
        "keyword": (
            "He wore a false beard to the party.",
            "A true friend is hard to find.",
            "She collects fiction from the last century.",
        ),
        "structure": (
            "The following text is short: it has few words.",
            "Nothing in this document is in French.",
            "Please note that everything written here is in English.",
        ),
        "irrelevant": IRRELEVANT,
        "format": (
            "Note: the next statement has one author.",
            "Weather check: the sky is blue.",
            "The following text is printed: page one of two.",
        ),
    },
)
