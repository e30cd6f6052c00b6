"""The journal of what was paid for."""

from __future__ import annotations

import errno
import os

import pytest

from caveat.files.atomic import DiskFull
from caveat.files.journal import Journal


def test_what_was_added_is_read_again(tmp_path):
    messages = []
    journal = Journal(tmp_path / "new" / "judge.jsonl", messages.append)
    journal.refresh()
    assert list(journal) == []
    journal.add({"key": "a", "text": "\u00fc\n"})
    journal.add({"key": "b", "text": "2"})
    other = Journal(journal.path, messages.append)
    other.refresh()
    assert list(other) == ["a", "b"] and other["a"]["text"] == "\u00fc\n" and "c" not in other
    assert other["a"] == journal["a"] == {"key": "a", "text": "\u00fc\n", "schema_version": 1}
    journal.add({"key": "a", "text": "later"})
    other.refresh()
    assert other["a"]["text"] == "\u00fc\n" and messages == []


@pytest.mark.parametrize(
    "torn",
    [b'{"key": "b", "te', b'{"text": 1}\n', b"[]\n", b"\xff\n", b"[" * 100_000 + b"\n"],
    ids=["torn", "keyless", "list", "bytes", "nested"],
)
def test_a_line_that_is_no_record_is_told_and_loses_no_other(tmp_path, torn):
    path = tmp_path / "judge.jsonl"
    messages = []
    Journal(path, messages.append).add({"key": "a"})
    with path.open("ab") as file:
        file.write(torn)
    journal = Journal(path, messages.append)
    journal.refresh()
    journal.add({"key": "c"})
    assert list(journal) == ["a", "c"]
    assert messages == [f"{path}: a line is damaged or cut short; left out"]
    again = Journal(path, messages.append)
    again.refresh()
    assert list(again) == ["a", "c"]


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="the disk is full"):
        Journal(tmp_path / "judge.jsonl", print).add({"key": "a"})
