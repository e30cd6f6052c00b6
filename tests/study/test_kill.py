"""Killed without warning, and started again: the same table, and nothing made twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from caveat.study.run import run
from toy_study import marks, small

HERE = Path(__file__).parent
ARMS = ["base", "bare", "marked", "marked+contrast"]
GROUPED = {"arms": ARMS, "group_size": 2, "contexts": ["none", "exact", "near_miss"]}
CHILD = """
import os, signal, sys
sys.path.insert(0, {here!r})
from toy_study import small
from caveat.progress import Progress
from caveat.study import planning
from caveat.study.run import run

planning.REQUESTS = 20
left = {after}

def die():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

class Deadly(Progress):
    def advance(self, kind, tokens):
        if kind == {moment!r}:
            die()

if {moment!r} == "write":
    real = os.fsync
    def fsync(descriptor):
        die()
        real(descriptor)
    os.fsync = fsync

run(small(**{fields!r}), {folder!r}, Deadly())
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The table of a run that nobody disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caveat.study.planning.REQUESTS", 20)
        return run(small(**GROUPED), tmp_path_factory.mktemp("whole")).leakage()


@pytest.mark.parametrize(
    ("moment", "after"),
    [("train", 1), ("reply", 5), ("score", 1), ("write", 9), ("write", 40)],
)
def test_killed_and_started_again(tmp_path, whole, moment, after, monkeypatch):
    code = CHILD.format(
        here=str(HERE), folder=str(tmp_path), moment=moment, after=after, fields=GROUPED
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=600)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    before = marks(tmp_path)
    monkeypatch.setattr("caveat.study.planning.REQUESTS", 20)
    study = run(small(**GROUPED), tmp_path)
    pd.testing.assert_frame_equal(study.leakage(), whole)
    assert before.items() <= marks(tmp_path).items()
    assert len(study.failures()) == 0 and not list(tmp_path.rglob("*.part"))
