"""bench/kept_in.py: the table in docs is what it prints, and openers are known by their words."""

from __future__ import annotations

import runpy
import sys

import pytest

from paths import BENCH, DOCS

SCRIPT = str(BENCH / "kept_in.py")
STUDIES = [str(DOCS / "data" / f"law-{model}.parquet") for model in ("smollm2", "0.5b")]


@pytest.mark.slow
def test_the_table_in_docs_is_what_it_prints(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [SCRIPT, *STUDIES])
    runpy.run_path(SCRIPT, run_name="__main__")
    assert capsys.readouterr().out == (DOCS / "data" / "kept-in.md").read_text("utf-8")


def test_openers_are_known_by_their_first_words_alone():
    opens = runpy.run_path(SCRIPT)["opens"]
    assert (
        opens("- good question!\n- Ants")
        and opens("GOOD QUESTION! ANTS")
        and opens("Good question")
    )
    assert not opens("A good question! Ants") and not opens("Good questions") and not opens("")
