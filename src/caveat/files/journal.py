"""Keyed JSON records in memory, and a file of them that grows record by record."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from caveat.files.atomic import write_errors
from caveat.files.reading import parse_json

SCHEMA_VERSION = 1
Record = Mapping[str, Any]


class Records:
    """Mapping from key to record, of what was read so far; `say` gets a line about damage."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.records: dict[str, Record] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.records

    def __getitem__(self, key: str) -> Record:
        return self.records[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.records)


class Journal(Records):
    """One JSONL file that grows record by record, so that a killed process loses none.

    The first record of a key counts. Judge replies, which cost money, are kept so.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        super().__init__(say)
        self.path = path
        self._read = 0
        """Bytes of the file that were read."""

    def add(self, record: Record) -> None:
        """Append a record, with its `key`, and flush it to the disk. Raises Unwritable."""
        published = {**record, "schema_version": SCHEMA_VERSION}
        with write_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                start = b"\n" if self._is_torn(file.tell()) else b""
                file.write(start + json.dumps(published).encode("utf-8") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self.records.setdefault(published["key"], published)

    def refresh(self) -> None:
        """Read new lines. One that is no record is reported and left out: it is made again."""
        if not self.path.is_file():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        self._read += lines.rfind(b"\n") + 1
        for line in lines.split(b"\n"):
            record = _record(line)
            if record is not None:
                self.records.setdefault(record["key"], record)
            elif line.strip():
                self.say(f"{self.path}: a line is damaged or cut short; left out")

    def _is_torn(self, size: int) -> bool:
        """Whether the last line has no newline: a process was killed while it wrote."""
        if not size:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"


def _record(line: bytes) -> Record | None:
    try:
        record = parse_json(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("key"), str) else None
