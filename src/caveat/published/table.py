"""Importing a table of anybody's verdicts: `caveat import table FILE`."""

from __future__ import annotations

from pathlib import Path

from caveat.published.imported import DEFAULTS, Imported, checked
from caveat.published.reading import need, read_table, sha256

NEEDED = ("setting", "arm", "context", "question", "verdict")
KNOWN = (*NEEDED, "cluster", "seed", *DEFAULTS)


def read(path: Path, model: str | None) -> Imported:
    """The verdicts of a CSV, JSON Lines, JSON or parquet file, a reply a row.

    Columns: those of `NEEDED`; optional ones are cluster (else the question), seed (of training),
    sample (else 0: one reply a question), reply, prompt, phenomenon, kind, model (else `model`) and
    readout. What other columns there are is noted, not read. Raises CaveatError for a file or a
    row that cannot be used.
    """
    frame = read_table(path)
    need(frame, NEEDED, path)
    if model is not None and "model" not in frame:
        frame["model"] = model
    unread = [name for name in frame if name not in (*KNOWN, "where")]
    notes = (f"columns of {path.name} not read: {', '.join(unread)}",) if unread else ()
    replies = checked(frame.drop(columns=unread))
    source = {"format": "table", "file": path.name, "sha256": sha256(path)}
    return Imported(path.stem, replies, source, notes=notes)
