"""Large imported studies keep their answers as one frame, which is what the store's records say."""

from __future__ import annotations

from importlib import import_module

import pandas as pd
import pytest

from caveat.importers import import_study
from caveat.study import answer_frame
from caveat.study.planning.digests import digest_of
from caveat.study.study import Study

TABLE = """arm,context,question,seed,sample,verdict,reply
base,none,a,,0,no,"one, two"
base,none,a,,1,invalid,\u2028
bare,none,a,1,0,yes,
bare,exact,b,1,0,YES,three
marked,none,a,2,0,neutral,NA
"""


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Imports the table with the given least size and batch; the folder."""

    def call(name: str, large: int, batch: int):
        module = import_module("caveat.importers.save")
        monkeypatch.setattr(module, "LARGE", large)
        monkeypatch.setattr(module, "BATCH", batch)
        (tmp_path / "own.csv").write_text(TABLE, "utf-8")
        return import_study("table", tmp_path / "own.csv", tmp_path / name).folder

    return call


def test_the_copy_and_the_records_give_the_same_tables(imported):
    large, small = Study(imported("large", 5, 2)), Study(imported("small", 6, 20))
    assert (large.folder / "versions" / large.version / answer_frame.FILE).is_file()
    assert not (small.folder / "versions" / small.version / answer_frame.FILE).exists()
    pd.testing.assert_frame_equal(large.answers(), small.answers())
    pd.testing.assert_frame_equal(large.leakage(), small.leakage())
    assert large.judged() == small.judged() == (5, 5)
    assert large.planned == small.planned
    rows = digest_of("imported", name="own", rows=large.planned)
    assert large.version == small.version == rows[:16]
    assert len(list((large.folder / "answers").glob("*.jsonl"))) == 3


def test_the_same_verdicts_are_stored_once(imported):
    folder = imported("study", 5, 2)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("answers/*")}
    assert imported("study", 5, 3) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.glob("answers/*")} == before
    assert len(Study(folder).versions) == 1


def test_a_damaged_copy_is_reported_and_read_around(imported):
    folder = imported("study", 5, 20)
    whole = Study(folder).answers()
    path = folder / "versions" / Study(folder).version / answer_frame.FILE
    path.write_bytes(path.read_bytes()[:-40])
    messages: list[str] = []
    study = Study(folder, say=messages.append)
    pd.testing.assert_frame_equal(study.answers(), whole)
    assert study.judged() == (5, 5)
    assert messages == [
        f"{path}: damaged; left out (the answers are read from the store, which takes longer)"
    ]
