"""Folders of the repository that tests read."""

from __future__ import annotations

from pathlib import Path

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parents[1]
BENCH, DOCS, EXAMPLES = ROOT / "bench", ROOT / "docs", ROOT / "examples"
SHARED_DATA = ROOT.parent / "shared" / "data"
"""Other people's data, which is not part of the repository: tests that read it skip without it."""
SHARED_INPUTS = ROOT.parent / "shared" / "inputs"
"""Small files in the forms that public repositories use; tests that read them skip without."""
