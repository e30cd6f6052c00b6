"""Read a training file of any usual form as training rows (docs/training-files.md)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from caveat.errors import CaveatError, closest
from caveat.importers.training_files.decoding import records
from caveat.importers.training_files.forms import (
    COLUMNS,
    FORMS,
    Column,
    Form,
    Layout,
    layout_of,
    listed,
)
from caveat.importers.training_files.turns import Changes, Dropped, messages_of
from caveat.types.data import Row
from caveat.types.messages import Messages, is_document

NO_COLUMNS: Mapping[Column, str] = MappingProxyType({})
DUPLICATE = "is there before, word for word"


@dataclass
class Summary:
    """What was read, counted as rows go by."""

    path: Path
    unit: str
    """What rows are numbered in: `line` of the file, or `record` of a parquet file."""
    layout: Layout | None = None
    read: int = 0
    """Rows of the file."""
    kept: int = 0
    documents: int = 0
    """Of the rows that were kept, those that are documents."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Rows that were left out, by reason."""
    first_dropped: dict[str, int] = field(default_factory=dict)
    """The number of the first row of each reason."""
    changes: Changes = field(default_factory=Changes)
    unread: Counter[str] = field(default_factory=Counter)
    """Fields of rows that were not read."""

    def where(self, number: int) -> str:
        """Such as `train.jsonl, line 7`."""
        return f"{self.path}, {self.unit} {number}"

    def lines(self) -> tuple[str, ...]:
        """What a user should know about the file, one line each."""
        form = self.layout.describe() if self.layout else "nothing"
        chats = self.kept - self.documents
        kinds = [(chats, "chats"), (self.documents, "documents")]
        shown = " and ".join(f"{count:,} {kind}" for count, kind in kinds if count)
        return (
            f"{self.path}: {form}; {self.kept:,} of {self.read:,} rows are used: {shown}",
            *(
                f"{self.path}: {count:,} rows left out: {reason} "
                f"(first: {self.unit} {self.first_dropped[reason]})"
                for reason, count in self.dropped.most_common()
            ),
            *(
                f"{self.path}: {change} in {count:,} rows"
                for change, count in self.changes.counts.most_common()
            ),
            *(
                [f"{self.path}: fields not read: {listed(sorted(self.unread))}"]
                if self.unread
                else []
            ),
        )


@dataclass(frozen=True)
class TrainingFile:
    """The rows of a training file, and what was read and dropped."""

    path: Path
    rows: tuple[Row, ...]
    """Their ids name the line, such as `line-7`. What carries no loss is `masked`."""
    numbers: tuple[int, ...]
    """Per row, its line in the file, or its record in a parquet file."""
    summary: Summary

    def where(self, index: int) -> str:
        """Where the row with this index stands, such as `train.jsonl, line 7`."""
        return self.summary.where(self.numbers[index])

    @property
    def dropped(self) -> Mapping[str, int]:
        """Rows that were left out, by reason."""
        return self.summary.dropped

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the file, one line each: form, rows, what was dropped."""
        return self.summary.lines()


def read_training_file(
    path: str | Path,
    form: Form | None = None,
    columns: Mapping[Column, str] = NO_COLUMNS,
    source: str = "behaviour",
) -> TrainingFile:
    """All rows of a training file.

    Args:
        path: JSON Lines or a JSON list (either may be packed with gzip), parquet, or a folder that
            `datasets` saved.
        form: How rows are read where their fields allow several ways (`--form`).
        columns: Fields by what they stand for, where their names do not say it (`--column`).
        source: The source of the rows, such as `behaviour` or `counter`.

    Raises CaveatError, in one line with the file, the line, the value and the fix.
    """
    summary, rows = stream_training_rows(path, form, columns, source)
    kept = list(rows)
    return TrainingFile(
        summary.path, tuple(row for _, row in kept), tuple(number for number, _ in kept), summary
    )


def stream_training_rows(
    path: str | Path,
    form: Form | None = None,
    columns: Mapping[Column, str] = NO_COLUMNS,
    source: str = "behaviour",
) -> tuple[Summary, Iterator[tuple[int, Row]]]:
    """The rows one by one with their numbers, and a summary that is complete when they are through.

    Arguments and errors as of `read_training_file`; errors come when the row is reached.
    """
    _check_options(form, columns)
    file = Path(path)
    unit, items = records(file)
    summary = Summary(file, unit)
    return summary, _rows(summary, items, form, columns, source)


def _check_options(form: str | None, columns: Mapping[Column, str]) -> None:
    if form is not None and form not in FORMS:
        raise CaveatError(f"--form {form!r} is not one of {', '.join(FORMS)}{closest(form, FORMS)}")
    for column in columns:
        if column not in COLUMNS:
            raise CaveatError(
                f"--column {column}={columns[column]}: {column!r} is not one of "
                f"{', '.join(COLUMNS)}{closest(column, COLUMNS)}"
            )


def _rows(
    summary: Summary,
    items: Iterator[tuple[int, object]],
    form: Form | None,
    columns: Mapping[Column, str],
    source: str,
) -> Iterator[tuple[int, Row]]:
    seen: set[bytes] = set()
    numbers: Counter[int] = Counter()
    for number, item in items:
        summary.read += 1
        where = summary.where(number)
        layout = _layout(summary, item, where, form, columns)
        try:
            messages = messages_of(item, layout, where, summary.changes)
            _check_new(messages, seen)
        except Dropped as reason:
            summary.changes.row.clear()
            summary.dropped[str(reason)] += 1
            summary.first_dropped.setdefault(str(reason), number)
            continue
        summary.changes.take()
        summary.kept += 1
        summary.documents += is_document(messages)
        if isinstance(item, dict):
            summary.unread.update(item.keys() - set(layout.fields.values()))
        numbers[number] += 1
        again = f"-{numbers[number]}" if numbers[number] > 1 else ""
        yield number, Row(f"{summary.unit}-{number}{again}", source, messages)
    if not summary.kept:
        reasons = ", ".join(f"{count} {reason}" for reason, count in summary.dropped.items())
        raise CaveatError(
            f"{summary.path} has no row to train on ({reasons}); give it rows with a reply or text"
        )


def _layout(
    summary: Summary,
    item: object,
    where: str,
    form: Form | None,
    columns: Mapping[Column, str],
) -> Layout:
    """The row's layout, which must be that of the rows before."""
    layout = layout_of(item, where, form, columns)
    if summary.layout is None:
        summary.layout = layout
    earlier = summary.layout
    if layout == earlier:
        return earlier
    if (layout.form, layout.needed) != (earlier.form, earlier.needed):
        raise CaveatError(
            f"{where} is of the form {layout.describe()}, the rows before {earlier.describe()}; "
            "split the file by form, or choose fields that all rows have with --form or --column"
        )
    summary.layout = Layout(earlier.form, {**earlier.fields, **layout.fields})
    return layout


def _check_new(messages: Messages, seen: set[bytes]) -> None:
    """Raise Dropped for a row that was there before, with the same text and the same masks."""
    text = "\0".join(
        f"{message.role}\1{piece.kind}\1{piece.text}"
        for message in messages
        for piece in message.pieces
    )
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()
    if digest in seen:
        raise Dropped(DUPLICATE)
    seen.add(digest)
