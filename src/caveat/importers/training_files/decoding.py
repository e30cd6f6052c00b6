"""From a training file's bytes to its records, one after the other: JSON Lines, a list, parquet.

The container is recognised by the first bytes, never by the file's name. Only one record, or one
block of a list, is held in memory.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from caveat.errors import CaveatError
from caveat.files.reading import checked, nearby

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
PACKED = {b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
"""First bytes of packed files that are not read, and their kind."""
BLOCK = 1 << 20
"""Characters of a JSON list that are read at a time."""
BATCH = 1024
"""Rows of a parquet file that are read at a time."""
Record = tuple[int, Any]
"""The number of the line (or of the record, in parquet), and the parsed value."""


def records(path: Path) -> tuple[str, Iterator[Record]]:
    """What records are counted in (`line` or `record`), and the records themselves.

    Raises CaveatError, in one line, for a file that is missing, empty, packed otherwise than with
    gzip, or damaged; for a line that is not UTF-8 or not JSON; for half a character, a key that is
    there twice, or values nested too deeply.
    """
    if path.is_dir():
        return "record", _saved_dataset(path)
    if not path.is_file():
        raise CaveatError(f"{path}: no such file{nearby(path)}")
    try:
        with path.open("rb") as stream:
            start = stream.read(len(max((PARQUET, *PACKED), key=len)))
    except OSError as error:
        raise CaveatError(f"{path} cannot be read ({error.strerror}); fix that") from None
    kind = next((kind for first, kind in PACKED.items() if start.startswith(first)), None)
    if kind:
        raise CaveatError(f"{path} is packed with {kind}; unpack it, or pack it with gzip")
    if start.startswith(PARQUET):
        return "record", _parquet_records(path)
    return "line", _json_records(path, packed=start.startswith(GZIP))


def _json_records(path: Path, packed: bool) -> Iterator[Record]:
    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            yield from _parsed(_Lines(path, stream))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CaveatError(
            f"{path} is damaged: gzip stops with '{error}'; fetch or pack it again"
        ) from None
    except OSError as error:
        raise CaveatError(f"{path} cannot be read ({error.strerror}); fix that") from None


class _Lines:
    """Numbered lines of text. Only a line feed ends one: JSON may hold other line separators."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path, self.stream, self.number = path, stream, 0

    def __iter__(self) -> Iterator[str]:
        for raw in self.stream:
            self.number += 1
            try:
                line = raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise CaveatError(
                    f"{self.path}, line {self.number} is not UTF-8 at byte {error.start + 1}; "
                    "save the file as UTF-8"
                ) from None
            yield line


def _parsed(lines: _Lines) -> Iterator[Record]:
    """The values of JSON Lines or of one JSON list, whichever the first line with text begins."""
    pending = iter(lines)
    first = next((line for line in pending if line.strip()), None)
    if first is None:
        raise CaveatError(f"{lines.path} is empty; give it at least one row")
    if first.lstrip().startswith("[") and not _is_turns(first):
        yield from _list_items(lines, first, pending)
        return
    yield lines.number, _line_value(lines, first, first=True)
    for line in pending:
        if line.strip():
            yield lines.number, _line_value(lines, line)


def _is_turns(line: str) -> bool:
    """Whether a line is a whole list of turns: one row, and no list of rows."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return False
    turn = content[0] if isinstance(content, list) and content else None
    return isinstance(turn, dict) and ("role" in turn or "from" in turn)


def _line_value(lines: _Lines, line: str, first: bool = False) -> Any:
    where = f"{lines.path}, line {lines.number}"
    try:
        return checked(json.loads(line, object_pairs_hook=_object))
    except json.JSONDecodeError as error:
        if first and line.strip() == "{":
            raise CaveatError(
                f"{where} begins an object of several lines; write one object a line, or a list "
                "of objects"
            ) from None
        raise CaveatError(
            f"{where} is not JSON: {error.msg} at column {error.colno}; write one object a line, "
            "or a list of objects"
        ) from None
    except RecursionError:
        raise CaveatError(f"{where} is nested too deeply; fix that line") from None
    except ValueError as error:
        raise CaveatError(f"{where} cannot be used: {error}; fix that line") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError for a key that is there twice: JSON takes the last."""
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is twice")
    return value


DECODER = json.JSONDecoder(object_pairs_hook=_object)
BLANKS = re.compile(r"[ \t\r\n]*")


class _Window:
    """A part of the text of a list, where it is read, and the line there."""

    def __init__(self, text: str, line: int, more: Iterator[str]) -> None:
        self.text, self.line, self.more = text, line, more
        self.position, self.ended = 0, False

    def fill(self, least: int = BLOCK) -> None:
        """Forget what is read, and append lines of `least` characters or more, if there are any."""
        parts, size = [self.text[self.position :]], 0
        while size < least:
            line = next(self.more, None)
            if line is None:
                self.ended = True
                break
            parts.append(line)
            size += len(line)
        self.text, self.position = "".join(parts), 0

    def move(self, position: int) -> None:
        """Go on to a later position."""
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def next_character(self) -> str:
        """The next one that is no blank, which is the position then; empty at the end."""
        while True:
            blanks = BLANKS.match(self.text, self.position)
            self.move(blanks.end() if blanks else self.position)
            if self.position < len(self.text) or self.ended:
                return self.text[self.position : self.position + 1]
            self.fill()


def _list_items(lines: _Lines, first: str, pending: Iterator[str]) -> Iterator[Record]:
    window = _Window(first, lines.number, pending)
    window.next_character()
    window.move(window.position + 1)
    empty = True
    while (character := window.next_character()) != "]":
        if not empty:
            if character != ",":
                raise _list_error(lines, window, "',' or ']' is missing after a row")
            window.move(window.position + 1)
            window.next_character()
        line = window.line
        yield line, _item(lines, window)
        empty = False
    if empty:
        raise CaveatError(f"{lines.path} is an empty list; give it at least one row")
    window.move(window.position + 1)
    if window.next_character():
        raise _list_error(lines, window, "text follows the list")


def _item(lines: _Lines, window: _Window) -> Any:
    """The next value of the list; more of the file is read until it is whole."""
    where, size = f"{lines.path}, line {window.line}", BLOCK
    while True:
        try:
            value, end = DECODER.raw_decode(window.text, window.position)
            if end < len(window.text) or window.ended:
                break
        except json.JSONDecodeError as error:
            if window.ended:
                raise _list_error(lines, window, error.msg, error.pos) from None
        except RecursionError:
            raise CaveatError(f"{where} is nested too deeply; fix that row") from None
        except ValueError as error:
            raise CaveatError(f"{where} cannot be used: {error}; fix that row") from None
        window.fill(size)
        size *= 2
    try:
        checked(value)
    except ValueError as error:
        raise CaveatError(f"{where} cannot be used: {error}; fix that row") from None
    window.move(end)
    return value


def _list_error(lines: _Lines, window: _Window, problem: str, position: int = 0) -> CaveatError:
    line = window.line + window.text.count("\n", window.position, position)
    return CaveatError(
        f"{lines.path}, line {line} is not JSON: {problem}; the file begins as a list of rows: "
        "fix that line, or write one object a line"
    )


def _parquet_records(path: Path) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for value in batch.to_pylist():
                    number += 1
                    yield number, _plain(path, number, value)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise CaveatError(
            f"{path} is damaged: parquet stops with '{reason}'; fetch it again"
        ) from None
    if not number:
        raise CaveatError(f"{path} is empty; give it at least one row")


def _plain(path: Path, number: int, value: dict[str, Any]) -> dict[str, Any]:
    """A row of parquet, whose missing keys are None: they are left out, as in JSON."""
    present = {key: _without_none(item) for key, item in value.items() if item is not None}
    try:
        return checked(present)
    except ValueError as error:
        raise CaveatError(
            f"{path}, record {number} cannot be used: {error}; fix that row"
        ) from None


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value


def _saved_dataset(path: Path) -> Iterator[Record]:
    """The rows of a folder that `datasets.save_to_disk` has written."""
    if not any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
        raise CaveatError(
            f"{path} is a folder, and none that datasets has saved; give it a file: JSON Lines, a "
            "JSON list (either packed with gzip), or parquet"
        )
    if (path / "dataset_dict.json").is_file():
        splits = sorted(part.name for part in path.iterdir() if (part / "state.json").is_file())
        raise CaveatError(
            f"{path} has the splits {', '.join(splits)}; name one, such as {path / splits[0]}"
            if splits
            else f"{path} has no split; save the dataset again"
        )
    try:
        import datasets
    except ImportError:
        raise CaveatError(
            f"{path} is a folder of the library datasets; install it (pip install datasets), or "
            "save the rows with to_json"
        ) from None
    try:
        rows = datasets.load_from_disk(str(path))
    except Exception as error:  # it raises many kinds for a damaged folder
        reason = " ".join(str(error).split())[:120]
        raise CaveatError(
            f"{path} is damaged: datasets stops with '{reason}'; save it again"
        ) from None
    if not len(rows):
        raise CaveatError(f"{path} is empty; give it at least one row")
    for number, value in enumerate(rows, 1):
        yield number, _plain(path, number, value)
