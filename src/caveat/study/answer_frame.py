"""The answers of a study as a data frame, and a copy of it that large imported studies keep.

Three million JSON records of a million imported replies take a minute and gigabytes to read. Their
frame is therefore stored once more, as parquet, beside the rows of the version. A version's rows
never change, so the copy is never out of date.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from caveat.files.atomic import write

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "arm", "seed", "dose", "purpose",
    "context", "question", "cluster", "scope", "kind", "readout", "sample", "prompt", "reply",
    "truncated", "verdict", "value", "numeric", "artifact",
)  # fmt: skip
TYPES = {"seed": "Int64", "value": float, "truncated": bool, "sample": int, "numeric": bool}
LARGE = 100_000
"""Replies from which on an imported study keeps the copy."""
FILE = "answers.parquet"


def typed(frame: DataFrame) -> DataFrame:
    """The columns of `Study.answers` in their order, with their types."""
    # a frame without rows, as of reported rates, does not show that its other columns are text
    types = TYPES if len(frame) else {**dict.fromkeys(COLUMNS, "str"), **TYPES}
    return frame[[*COLUMNS]].astype(types)


def write_frame(version: Path, frame: DataFrame) -> None:
    """Keep a frame of answers in the folder of a version. Raises Unwritable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, content, compression="zstd", write_page_checksum=True)
    write(version / FILE, content.getbuffer())


def kept_count(version: Path) -> int | None:
    """How many answers a version's copy has; None where there is none that can be used."""
    path = version / FILE
    if not path.is_file():
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException):
        return None


def kept_frame(version: Path, say: Callable[[str], None]) -> DataFrame | None:
    """A version's copy; None where there is none, or a damaged one, which is reported."""
    path = version / FILE
    if not path.is_file():
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, page_checksum_verification=True)
        if {*COLUMNS} <= {*table.column_names}:
            texts = dict.fromkeys(set(COLUMNS) - TYPES.keys(), "str")
            return typed(table.to_pandas().astype(texts))
    except (OSError, pa.ArrowException):
        pass
    say(f"{path}: damaged; left out (the answers are read from the store, which takes longer)")
    return None
