"""Digests of files that are remembered."""

from __future__ import annotations

import os

from caveat.files import hashing


def test_a_large_file_s_digest_is_remembered_until_the_file_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hashing, "REMEMBERED_FROM", 4)
    file = tmp_path / "weights.bin"
    file.write_bytes(b"one of them")
    first = hashing.remembered_sha256(file)
    assert first == hashing.sha256_of(file)
    (memory,) = (tmp_path / "cache" / "digests").glob("*.json")
    memory.write_text(memory.read_text().replace(first, "f" * 64))
    assert hashing.remembered_sha256(file) == "f" * 64, "the file is not read again"
    os.utime(file, ns=(1, 1))
    assert hashing.remembered_sha256(file) == first
    file.write_bytes(b"two of them")
    assert hashing.remembered_sha256(file) == hashing.sha256_of(file) != first
    memory.write_text("[")
    assert hashing.remembered_sha256(file) == hashing.sha256_of(file)


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path, monkeypatch):
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path / "file"))
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(hashing, "REMEMBERED_FROM", 0)
    file = tmp_path / "weights.bin"
    file.write_bytes(b"x")
    assert hashing.remembered_sha256(file) == hashing.sha256_of(file)
