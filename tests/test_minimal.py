"""examples/minimal.py: short, and it runs."""

from __future__ import annotations

import subprocess
import sys

from paths import EXAMPLES

SCRIPT = EXAMPLES / "minimal.py"


def test_it_is_short():
    assert len(SCRIPT.read_text("utf-8").splitlines()) <= 120


def test_it_shows_a_study_of_the_tiny_model():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "tiny"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert header.split()[:3] == ["arm", "context", "rate"]
    assert len(lines) == 4 * 3
    assert {line.split()[0] for line in lines} == {"base", "bare", "marked", "marked+contrast"}
