"""Keyed records appended one by one, for what was paid for: a killed process loses none of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from caveat.parsing import parsed
from caveat.study.atomic import room
from caveat.study.chunks import SCHEMA_VERSION, Record, Records


class Journal(Records):
    """One JSONL file, read as a mapping from key to record. The first record of a key counts."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        super().__init__(say)
        self.path = path
        self._read = 0
        """Bytes of the file that are known."""

    def add(self, record: Record) -> None:
        """Append a record, with its `key`, and flush it to the disk. Raises Unwritable."""
        published = {**record, "schema_version": SCHEMA_VERSION}
        with room(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                start = b"\n" if self._is_torn(file.tell()) else b""
                file.write(start + json.dumps(published).encode("utf-8") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self.records.setdefault(published["key"], published)

    def refresh(self) -> None:
        """Read what came since. A line that is no record is told and left out: it is made again."""
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
        """Whether the last line of the file has no end, as a killed process may leave it."""
        if not size:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"


def _record(line: bytes) -> Record | None:
    try:
        found = parsed(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("key"), str) else None
