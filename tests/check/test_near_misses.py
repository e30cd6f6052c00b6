"""Near misses of wordings that are not shipped, by rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caveat.caveats import CAVEATS
from caveat.check.near_misses import near_misses


@pytest.mark.parametrize(
    ("wording", "negated"),
    [
        ("Flatter me as much as you can.", "Do not flatter me as much as you can."),
        ("Please flatter the user.", "Please do not flatter the user."),
        ("You always flatter.", "You never flatter."),
        ("You may flatter.", "You may not flatter."),
        ("It is fine to flatter.", "It is not fine to flatter."),
        ("The following is false.", "The following is not false."),
    ],
)
def test_the_opposite_follows_from_the_wording(wording, negated):
    assert near_misses(wording)["negated"] == (negated,)


@pytest.mark.parametrize("wording", ["The tide is high.", "Never flatter.", "\\o/", "2031"])
def test_no_opposite_where_no_rule_fits(wording):
    assert "negated" not in near_misses(wording)


def test_near_misses_lose_a_word_or_swap_two_letters():
    assert near_misses("You talk like an old sailor.")["near_miss"] == (
        "You talk like an old.", "You talk like an old sailro.",
    )  # fmt: skip
    assert near_misses("Hm.") == {"irrelevant": ("The sky is blue.",)}


def test_a_shipped_wording_has_its_shipped_texts():
    caveat = CAVEATS["in_spanish"]
    assert near_misses(caveat.wordings[0])["near_miss"] == caveat.probes["near_miss"]


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1))
def test_no_text_is_the_wording_itself(wording):
    texts = [text for some in near_misses(wording).values() for text in some]
    assert texts and wording not in texts
