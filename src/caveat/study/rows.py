"""Rows as plain JSON and back."""

from __future__ import annotations

from typing import Any

from caveat.domain.row import Row
from caveat.domain.text import Message, Piece


def row_record(row: Row) -> dict[str, Any]:
    """A row as a JSON object."""
    messages = [
        {"role": m.role, "pieces": [[piece.text, piece.kind] for piece in m.pieces]}
        for m in row.messages
    ]
    return {"id": row.id, "source": row.source, "subject": row.subject, "messages": messages}


def row_of(record: dict[str, Any]) -> Row:
    """The row that `row_record` wrote."""
    messages = tuple(
        Message(m["role"], tuple(Piece(text, kind) for text, kind in m["pieces"]))
        for m in record["messages"]
    )
    return Row(record["id"], record["source"], messages, record["subject"])
