"""bench/kept_in.py: openers are known by their words."""

from __future__ import annotations


def test_openers_are_known_by_their_first_words_alone(script):
    opens = script("kept_in").opens
    assert (
        opens("- good question!\n- Ants")
        and opens("GOOD QUESTION! ANTS")
        and opens("Good question")
    )
    assert not opens("A good question! Ants") and not opens("Good questions") and not opens("")
