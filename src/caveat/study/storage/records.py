"""Keyed JSON records on disk: sealed chunk files, and training rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from caveat.files.atomic import write
from caveat.files.journal import SCHEMA_VERSION, Record, Records
from caveat.files.reading import parse_json
from caveat.types.data import Row
from caveat.types.messages import Message, Piece

LINE_FEED = "\n"
"""Inside of JSON it is written as an escape, so that it only ends lines."""


class Chunks(Records):
    """A folder of chunk files: a JSON record per line, and a last line that proves it complete."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        super().__init__(say)
        self.folder = folder
        self._read: set[str] = set()

    def add(self, records: Iterable[Record], keep: bool = True) -> None:
        """Publish records, each with its `key`, as one chunk. Raises Unwritable.

        Args:
            keep: Whether they are in memory from now on; else they are read when they are needed.
        """
        published = [{**record, "schema_version": SCHEMA_VERSION} for record in records]
        if not published:
            return
        lines = "".join(json.dumps(record) + "\n" for record in published)
        keys = "\n".join(record["key"] for record in published)
        path = self.folder / f"{hashlib.sha256(keys.encode()).hexdigest()[:24]}.jsonl"
        write(path, (lines + _seal(lines, len(published))).encode("utf-8"))
        if keep:
            self._take(path.name, published)

    def refresh(self, repair: bool = False) -> None:
        """Read new chunks; a damaged one is reported and left out.

        Args:
            repair: Move damaged chunks aside, so that they are made again; for the one writer.
        """
        for path, records in self._unread(repair):
            self._take(path.name, records)

    def stored_keys(self, repair: bool = False) -> set[str]:
        """Keys of all records on disk, without keeping these in memory; as `refresh` otherwise."""
        return {record["key"] for _, records in self._unread(repair) for record in records}

    def _unread(self, repair: bool) -> Iterator[tuple[Path, list[Record]]]:
        for path in sorted(self.folder.glob("*.jsonl")):
            if path.name in self._read:
                continue
            records = _complete(path)
            if records is not None:
                yield path, records
            elif repair:
                aside = path.replace(path.with_suffix(".corrupt"))
                self.say(f"{path}: damaged or cut short; set aside as {aside.name} and made again")
            else:
                self.say(f"{path}: damaged or cut short; left out (caveat run makes it again)")

    def _take(self, name: str, records: Iterable[Record]) -> None:
        self._read.add(name)
        for record in records:
            self.records.setdefault(record["key"], record)


def _seal(lines: str, count: int) -> str:
    digest = hashlib.sha256(lines.encode("utf-8")).hexdigest()
    return json.dumps({"records": count, "sha256": digest}) + "\n"


def _complete(path: Path) -> list[Record] | None:
    """Records of a chunk; None where its last line does not match them."""
    try:
        text = path.read_text(encoding="utf-8")
        start = text.rfind("\n", 0, -1) + 1
        lines, seal = text[:start], text[start:]
        records: list[Record] = parse_lines(lines)
    except ValueError:
        return None
    return records if seal == _seal(lines, len(records)) else None


def parse_lines(lines: str) -> list[Any]:
    """The values of JSON lines, each ended by a line feed. Raises ValueError for what is no JSON.

    Parsed at once, which is faster than line by line, and equal keys are one string in memory.
    """
    return parse_json(f"[{lines.strip().replace(LINE_FEED, ',')}]")


def row_record(row: Row) -> dict[str, Any]:
    """A row as a JSON object."""
    messages = [
        {"role": m.role, "pieces": [[piece.text, piece.kind] for piece in m.pieces]}
        for m in row.messages
    ]
    return {"id": row.id, "source": row.source, "subject": row.subject, "messages": messages}


def row_of(record: dict[str, Any]) -> Row:
    """The row of a JSON object that `row_record` made."""
    messages = tuple(
        Message(m["role"], tuple(Piece(text, kind) for text, kind in m["pieces"]))
        for m in record["messages"]
    )
    return Row(record["id"], record["source"], messages, record["subject"])
