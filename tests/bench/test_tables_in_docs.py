"""Tables in docs that a script of bench/ makes are what it prints."""

from __future__ import annotations

import runpy
import sys

import pytest

from paths import BENCH, DOCS


@pytest.mark.parametrize(
    ("script", "study"), [("law_naming", "law-naming"), ("rl_controls", "rl-controls")]
)
def test_a_table_in_docs_is_what_its_script_prints(script, study, capsys, monkeypatch):
    path = str(BENCH / f"{script}.py")
    monkeypatch.setattr(sys, "argv", [path, str(DOCS / "data" / f"{study}.parquet")])
    runpy.run_path(path, run_name="__main__")
    assert capsys.readouterr().out == (DOCS / "data" / f"{study}.md").read_text("utf-8")
