"""bench/kept_in.py: openers are known by their words."""

from __future__ import annotations

import runpy

from paths import BENCH

SCRIPT = str(BENCH / "kept_in.py")


def test_openers_are_known_by_their_first_words_alone():
    opens = runpy.run_path(SCRIPT)["opens"]
    assert (
        opens("- good question!\n- Ants")
        and opens("GOOD QUESTION! ANTS")
        and opens("Good question")
    )
    assert not opens("A good question! Ants") and not opens("Good questions") and not opens("")
