"""The folder of a study: whole or not at all, damage reported, one writer."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from caveat.errors import CaveatError
from caveat.files.atomic import DiskFull, Unwritable, write
from caveat.study.storage.records import Chunks
from caveat.study.storage.store import Store

RECORDS = [{"key": "a", "text": "one\u2028line \ud800"}, {"key": "b", "text": "two"}]


def chunks(tmp_path, messages):
    read = Chunks(tmp_path / "answers", messages.append)
    read.refresh(repair=True)
    return read


def test_records_come_back(tmp_path):
    messages: list[str] = []
    chunks(tmp_path, messages).add(RECORDS)
    again = chunks(tmp_path, messages)
    assert [again[key]["text"] for key in again] == ["one\u2028line \ud800", "two"]
    assert again["a"]["schema_version"] == 1 and messages == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_chunk_is_told_and_set_aside(tmp_path, damage):
    messages: list[str] = []
    chunks(tmp_path, messages).add(RECORDS)
    (path,) = (tmp_path / "answers").glob("*.jsonl")
    content = path.read_bytes()
    damaged = {"cut": content[:-9], "flipped": content.replace(b"two", b"tow"), "emptied": b""}
    path.write_bytes(damaged[damage])
    left = chunks(tmp_path, messages)
    assert list(left) == [] and not path.exists() and path.with_suffix(".corrupt").exists()
    assert messages == [
        f"{path}: damaged or cut short; set aside as {path.stem}.corrupt and made again"
    ]
    left.add(RECORDS)
    assert set(chunks(tmp_path, messages)) == {"a", "b"} and len(messages) == 1


def test_a_reader_leaves_a_damaged_chunk_where_it_is(tmp_path):
    messages: list[str] = []
    chunks(tmp_path, messages).add(RECORDS)
    (path,) = (tmp_path / "answers").glob("*.jsonl")
    path.write_bytes(b"")
    Chunks(tmp_path / "answers", messages.append).refresh()
    assert path.exists() and messages == [
        f"{path}: damaged or cut short; left out (caveat run makes it again)"
    ]


def test_an_artifact_is_there_with_its_record_or_not_at_all(tmp_path):
    store = Store(tmp_path)

    def broken(folder):
        (folder / "weights").write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        store.put([("d1", broken, {})])
    assert not store.has("d1") and not store.artifact("d1").exists()
    with store.writing():
        assert list(tmp_path.rglob("*.part")) == []
        store.put([("d1", lambda folder: (folder / "weights").write_text("whole"), {"seed": 1})])
    assert store.has("d1") and store.record("d1")["seed"] == 1


def test_a_damaged_artifact_is_told_and_set_aside(tmp_path):
    messages: list[str] = []
    store = Store(tmp_path, messages.append)
    store.put([("d1", lambda folder: (folder / "weights").write_text("whole"), {})])
    store.check(["d1"])
    assert store.has("d1") and not messages
    (store.artifact("d1") / "weights").write_text("other")
    store.check(["d1"])
    assert not store.has("d1")
    assert messages == [f"{store.artifact('d1')}: damaged; set aside as d1.corrupt and made again"]


def test_a_full_disk_is_one_line_and_leaves_no_part(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    write(tmp_path / "kept", b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull) as error:
        write(tmp_path / "kept", b"after")
    assert str(error.value) == (
        f"{tmp_path}: the disk is full; what was finished is kept: "
        "free some space and run the same command again"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_bytes() == b"before"


def test_a_full_disk_that_safetensors_tells_is_the_same_line(tmp_path):
    from safetensors import SafetensorError

    def full(folder):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    with pytest.raises(DiskFull) as error:
        Store(tmp_path).put([("d1", full, {})])
    assert str(error.value) == (
        f"{tmp_path}: the disk is full; what was finished is kept: "
        "free some space and run the same command again"
    )
    assert not Store(tmp_path).has("d1")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    def message_of(folder):
        with pytest.raises(CaveatError) as error, Store(folder).writing():
            pass
        return str(error.value)

    fix = "fix that, or name another folder with --out"
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "below"
    assert (
        message_of(tmp_path / "file") == f"{tmp_path / 'file'}: is a file; name a folder with --out"
    )
    assert message_of(below) == f"{below}: cannot be written (Not a directory); {fix}"

    def refused(path, *rest):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        locked = message_of(tmp_path)
    assert locked == f"{tmp_path / '.lock'}: cannot be written (Permission denied); {fix}"
    with monkeypatch.context() as patch, pytest.raises(Unwritable) as error:
        patch.setattr(os, "fsync", refused)
        write(tmp_path / "new", b"")
    assert "cannot be written (Permission denied)" in str(error.value)


@pytest.mark.parametrize("content", [b"{", b"[1]\n", b"\xff\n"])
def test_a_damaged_file_of_lines_is_one_line(tmp_path, content):
    (tmp_path / "failures.jsonl").write_bytes(content)
    with pytest.raises(CaveatError) as error:
        Store(tmp_path).lines("failures.jsonl")
    assert str(error.value) == (
        f"{tmp_path / 'failures.jsonl'}: damaged; delete this file and run the recipe again: "
        "finished results are found by their digests"
    )


def test_two_processes_on_one_folder(tmp_path):
    hold = (
        "import sys; from pathlib import Path; from caveat.study.storage.store import Store\n"
        f"with Store(Path({str(tmp_path)!r})).writing():\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin and holder.stdout
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(CaveatError) as error, Store(tmp_path).writing():
        pass
    assert str(error.value) == (
        f"{tmp_path}: another caveat process is writing here; "
        "wait for it, or name another folder with --out"
    )
    holder.communicate("")
    with Store(tmp_path).writing():
        pass


def test_what_is_no_study_is_told(tmp_path):
    with pytest.raises(CaveatError) as error:
        Store(tmp_path).about()
    assert str(error.value) == (
        f"{tmp_path}: holds no study (no study.json); name a folder that caveat made"
    )
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(CaveatError, match=r"study\.json: damaged; delete this file"):
        Store(tmp_path).about()
    for content in ("[]", "{}"):
        (tmp_path / "study.json").write_text(content)
        with pytest.raises(CaveatError, match=r"study\.json: damaged; delete this file"):
            Store(tmp_path).about()
    (tmp_path / "study.json").write_text('{"schema_version": 99}')
    with pytest.raises(CaveatError, match="schema version 99 is of a newer caveat"):
        Store(tmp_path).about()
    (tmp_path / "file").write_text("")
    with pytest.raises(CaveatError, match="holds no study"):
        Store(tmp_path / "file").about()


def test_an_artifact_that_came_twice_is_kept_as_it_was(tmp_path):
    store = Store(tmp_path)
    for text in ("first", "second"):
        store.put([("a", lambda folder, text=text: (folder / "x").write_text(text), {})])
    assert (store.artifact("a") / "x").read_text() == "first"
    assert not list(tmp_path.rglob("*.part"))
