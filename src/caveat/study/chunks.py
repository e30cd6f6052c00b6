"""Keyed records in chunk files: a JSON line each, and a last line that proves the file whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from caveat.parsing import parsed
from caveat.study.atomic import write

SCHEMA_VERSION = 1
Record = Mapping[str, Any]


class Records:
    """What is known of keyed records on disk, by key; `say` is told what cannot be used."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.records: dict[str, Record] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.records

    def __getitem__(self, key: str) -> Record:
        return self.records[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.records)


class Chunks(Records):
    """A folder of chunk files, read as one mapping from key to record."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        super().__init__(say)
        self.folder = folder
        self._read: set[str] = set()

    def add(self, records: Iterable[Record]) -> None:
        """Publish records, each with its `key`, as one chunk. Raises DiskFull."""
        published = [{**record, "schema_version": SCHEMA_VERSION} for record in records]
        if not published:
            return
        lines = "".join(json.dumps(each) + "\n" for each in published)
        keys = "\n".join(record["key"] for record in published)
        path = self.folder / f"{hashlib.sha256(keys.encode()).hexdigest()[:24]}.jsonl"
        write(path, (lines + _seal(lines, len(published))).encode("utf-8"))
        self._take(path.name, published)

    def refresh(self, mend: bool = False) -> None:
        """Read the chunks that came since; a damaged one is told and left out.

        `mend` is for the folder's one writer: the damaged chunk is set aside, to be made again.
        """
        for path in sorted(self.folder.glob("*.jsonl")):
            if path.name in self._read:
                continue
            records = _whole(path)
            if records is not None:
                self._take(path.name, records)
            elif mend:
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


def _whole(path: Path) -> list[Record] | None:
    """The records of a chunk, None where its last line does not match them."""
    try:
        *lines, seal, end = path.read_text(encoding="utf-8").split("\n")
        records: list[Record] = [parsed(line) for line in lines]
    except ValueError:
        return None
    content = "".join(line + "\n" for line in lines)
    return records if not end and seal + "\n" == _seal(content, len(records)) else None
