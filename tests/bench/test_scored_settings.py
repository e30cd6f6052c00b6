"""Leakage by setting is not taken over two doses of it."""

from __future__ import annotations

import runpy

import pytest

from paths import BENCH, DOCS


def test_a_setting_with_two_doses_is_refused(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)  # as for a script that is run
    measured = runpy.run_path(str(BENCH / "scored_settings.py"))["measured"]
    with pytest.raises(SystemExit, match="has 2 doses"):
        measured(DOCS / "data" / "wordings-mixed-controls-0.5b.parquet")
    assert measured(DOCS / "data" / "wordings-mixed-0.5b.parquet")
