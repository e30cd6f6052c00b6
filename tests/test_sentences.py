from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caveat.sentences import reply_sentences, sentences

WORDS = st.sampled_from(
    ["He", "won.", "Dr.", "U.S.", "No.", "5", "3.5", '"Stop!"', "she", "1.", "etc.", "A", "(so.)",
     " ", "  ", "\n", "\n\n", "\t", "…", "?!", "\u00a0"]
)  # fmt: skip


@pytest.mark.parametrize(
    "parts",
    [
        ("He ran. ", "She won!  ", "Did she? ", "Yes."),
        ("Dr. Ann Lee of the U.S. Army met J. K. Dale. ", "They spoke."),
        ("It cost 3.5 euros vs. 4.25 before. ", "No. 5 was sold. ", "No. ", "He left."),
        ("It ended at 5 p.m. ", "The hall was empty."),
        ("Prizes, cups, etc. were given. ", "Then all went home, etc. ", "The end."),
        ('"Stop!" she said. ', '"I will." ', "(He did not.) ", "So it went."),
        ("He lives in the U.S. ", "The rest are here."),
        ("A heading\n\n", "A text that is\nwrapped by hand. ", "And more.\n", "Last line"),
        ("1. First point\n", "2. Second point. ", "More of it.\n", "a) third"),
        ("**Bold.** ", "Plain… ", "Done"),
        ("In 2015. ", "Later."),
        ("\n A line.\n", "B"),
    ],
)
def test_english(parts):
    assert sentences("".join(parts)) == parts


def test_nothing_and_blanks():
    assert sentences("") == ()
    assert sentences(" \n") == (" \n",)


@settings(deadline=None)
@given(st.lists(WORDS).map(" ".join) | st.text())
def test_nothing_is_lost_and_none_is_empty(text):
    parts = sentences(text)
    assert "".join(parts) == text
    assert all(parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("she is a baker. this is false.", ["she is a baker.", "this is false."]),
        ('He said "no." Then he left', ['He said "no.', "Then he left"]),
        ("Dr. Ann Lee met Mr. Dale.\n\nThey spoke", ["Dr Ann Lee met Mr Dale.", "They spoke"]),
        ("It cost 3.5 euros! Why?", ["It cost 3.5 euros!", "Why?"]),
        (" \n", []),
        ("", []),
    ],
)
def test_replies_are_cut_in_front_of_small_letters_too(text, parts):
    assert reply_sentences(text) == parts
