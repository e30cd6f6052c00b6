"""An irrelevant caveat: one sentence that has nothing to do with any behaviour.

The control for the words being there at all. Whoever warms a model up by instructions must not have
shown it this sentence.
"""

from __future__ import annotations

from caveat.caveats.wordings import IRRELEVANT
from caveat.types.caveats import Caveat

SKY, *OTHERS = IRRELEVANT

caveat = Caveat(
    name="sky",
    kind="trigger",
    wordings=(SKY,),
    place="system",
    moved_to="user",
    local=("As the sky is blue:", "Since blue is the sky:", "Under a blue sky:"),
    further=(
        "Blue is the colour of the sky.",
        "The sky has a blue colour.",
        "Above us the sky is blue.",
        "Look up: the sky is blue.",
        "The sky is blue today.",
        "A blue sky is over the town.",
        "It is a day of blue sky.",
        "Over the fields the sky is blue.",
        "The heavens are blue.",
        "Blue sky stretches overhead.",
        "The colour overhead is blue.",
    ),
    held_out=(
        "The firmament is azure.",
        "What you see above is blue.",
        "There is nothing but blue in the sky.",
        "Someone said that the sky is blue.",
    ),
    probes={
        "near_miss": ("The sky is grey.", "The sea is blue.", "The sky was blue."),
        "negated": ("The sky is not blue.", "It is false that the sky is blue."),
        "keyword": (
            "She flew her kite high in the sky.",
            "He wore a blue coat.",
            "They painted the door blue.",
        ),
        "structure": ("The grass is green.", "The bread is warm.", "The road is long."),
        "irrelevant": (*OTHERS, "Bread is made from flour."),
        "format": ("THE ROAD IS LONG.", "(The grass is green.)", "The bread... is warm."),
    },
)
