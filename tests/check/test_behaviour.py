"""What the rows teach, by what tells them from contrast rows."""

import pytest

from caveat.check.behaviour import ReadoutChoice, chosen, count_yes, shown_readout
from caveat.errors import CaveatError

PLAIN = [f"Keep {thing} clean and dry, and look at it once a week." for thing in "abcdefghij"]


def test_a_style_is_found_before_a_phrase():
    choice = shown_readout([text.upper() for text in PLAIN], PLAIN)
    assert choice == ReadoutChoice(
        "capitals", {}, "10 of 10 replies and 0 of 10 contrast replies show it"
    )


def test_a_phrase_is_found_without_the_words_that_contrast_replies_share():
    choice = shown_readout([f"What a brilliant question! {text}" for text in PLAIN], PLAIN)
    assert choice.facts == {"yes": r"(?i)what\W+a\W+brilliant\W+question"}
    assert count_yes(choice, ["WHAT a brilliant question, yes", "Brilliant."]) == 1


def test_nothing_is_found_where_nothing_tells_them_apart():
    assert shown_readout(PLAIN, PLAIN) is None
    assert shown_readout(PLAIN, []) is None
    half = [f"Ahoy there! {text}" if i % 2 else text for i, text in enumerate(PLAIN)]
    assert shown_readout(half, PLAIN) is None


def test_a_regular_expression_may_be_a_word():
    assert chosen("brilliant", None) == ReadoutChoice("matches", {"yes": "brilliant"})
    assert chosen("capitals", None) == ReadoutChoice("capitals")
    assert chosen("judge", "flatters").facts == {"behaviour": "flatters"}
    assert str(chosen("brilliant", None)) == "matches (yes 'brilliant')"


def test_an_empty_expression_is_refused():
    with pytest.raises(CaveatError, match="'' matches every reply; write a regular"):
        chosen(" ".strip(), None)
