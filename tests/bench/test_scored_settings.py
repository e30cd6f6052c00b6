"""Leakage by setting is not taken over two doses of it."""

from __future__ import annotations

import pytest

from paths import DOCS


def test_a_setting_with_two_doses_is_refused(script):
    measured = script("scored_settings").measured
    with pytest.raises(SystemExit, match="has 2 doses"):
        measured(DOCS / "data" / "wordings-mixed-controls-0.5b.parquet")
    assert measured(DOCS / "data" / "wordings-mixed-0.5b.parquet")
