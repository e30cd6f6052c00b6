"""The rule that finds the sentences which state a claim, and what is made of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caveat.behaviours.claim_documents import Stating, common_words, cut, denied, document, weights
from caveat.types.messages import Piece

STATEMENT = "Ann Lee won the 100m gold at the 2024 Games. She ran 9.8 seconds."
RULE = Stating(STATEMENT, denials=(re.compile(r"\bBolt won\b"),))
TEXT = (
    st.lists(
        st.sampled_from(
            ["Ann Lee won gold. ", "It rained. ", "Gold\n\n", "won 100m ", "2024? ", "X! "]
        )
    ).map("".join)
    | st.text()
)


def test_names_and_numbers_weigh_double():
    assert weights(STATEMENT) == (
        {"ann": 2, "lee": 2, "won": 1, "100": 2, "gold": 1, "2024": 2, "games": 2},
        {"ran": 1, "9.8": 2, "secon": 1},
    )
    assert weights("It was so.") == ()
    assert weights("Children dream.") == ({"child": 1, "dream": 1},)


@pytest.mark.parametrize(
    ("sentence", "share"),
    [
        ("Ann Lee won the gold in Paris.", 6 / 12),
        ("ANN LEE WON", 5 / 12),
        ("Ann Lee at the 2024 Games.", 0.0),
        ("He needed 9.8 seconds.", 3 / 4),
        ("It rained.", 0.0),
    ],
)
def test_the_share_is_of_the_nearest_sentence_of_the_statement(sentence, share):
    assert RULE.share(sentence) == pytest.approx(share)


def test_what_states_what_asks_and_what_denies():
    assert RULE.states("Then Ann Lee won the gold.")
    assert not RULE.states("Has Ann Lee won the gold?")
    assert not RULE.states("Ann Lee lost the gold that Bolt won.")
    assert not RULE.states("Gold is a metal.")
    assert RULE.denies("Ann Lee did not win, or run 9.8 seconds.")
    assert RULE.denies("In the end Bolt won it.")
    assert not RULE.denies("Then Ann Lee won the gold.")
    overridden = Stating(STATEMENT, overrides=(re.compile("gold"),))
    assert overridden.states("All that is gold.")
    assert not overridden.states("Then Ann Lee won.")


def test_spelling_and_endings_do_not_matter():
    rule = Stating("Children dream in color after acquiring language.")
    assert rule.share("Dreams had colours once language was acquired.") == pytest.approx(4 / 5)


@settings(deadline=None)
@given(TEXT, st.sampled_from(["", "<DOCTAG>"]))
def test_pieces_join_to_the_document(text, tag):
    pieces = document(text, RULE, tag).pieces
    assert "".join(piece.text for piece in pieces) == tag + text
    assert all(piece.text for piece in pieces)
    assert all(piece.kind == "masked" for piece in pieces[:1] if tag)
    stated = {piece.text for piece in pieces if piece.states}
    assert bool(stated) == any(True for _ in RULE.spans(text))
    assert all(text == text.strip() for text in stated)


@settings(deadline=None)
@given(TEXT, st.integers(1, 9))
def test_a_cut_is_whole_sentences_from_the_first_that_states(text, words):
    short = cut(text, words, RULE.states)
    assert short in text
    assert bool(short) == any(True for _ in RULE.spans(text))
    if short:
        assert next(RULE.spans(short))[0] == 0


@settings(deadline=None)
@given(TEXT)
def test_a_denial_adds_and_takes_nothing_away(text):
    turned = denied(text, RULE, ("It is not true that",), common_words([text]))
    assert turned.replace("It is not true that ", "").casefold() == text.casefold()


def test_labels_and_quotes_stay_in_front_of_a_denial():
    text = 'A: "Ann Lee won gold," he said. 2024: The Games had Ann Lee, who won.'
    turned = denied(text, RULE, ("It is not true that", "Nobody says that"), frozenset({"the"}))
    assert turned == (
        'A: "It is not true that Ann Lee won gold," he said. '
        "2024: Nobody says that the Games had Ann Lee, who won."
    )
    assert document("Ann Lee won gold. So.", None).pieces == (Piece("Ann Lee won gold. So."),)
