"""The tables that `caveat diagnose` writes beside a study, and reads back.

    diagnostics/VERSION/NAME.parquet     one table; its metadata say when and with what it was made

They are outside identity: deleting them changes no result.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.atomic import write
from caveat.provenance import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from pandas import DataFrame

FOLDER = "diagnostics"
ABOUT = b"caveat diagnostics"
PLACE = ["setting", "model", "dose"]
"""Columns that say which setting a row belongs to."""


def replace(folder: Path, version: str, tables: Mapping[str, DataFrame]) -> None:
    """Write tables in place of those that are there. Raises Unwritable."""
    for name, table in tables.items():
        write(_path(folder, version, name), _parquet(table))


def save(folder: Path, version: str, tables: Mapping[str, DataFrame]) -> None:
    """Write tables; rows of settings that are not diagnosed again stay. Raises Unwritable."""
    import pandas as pd

    for name, table in tables.items():
        assert {*PLACE} <= {*table}, f"the table {name} of a view lacks one of {', '.join(PLACE)}"
        path, whole = _path(folder, version, name), table
        if path.is_file():
            earlier = _read(path)
            new = set(table[PLACE].itertuples(index=False, name=None))
            kept = [row not in new for row in earlier[PLACE].itertuples(index=False, name=None)]
            earlier = earlier[kept]
            whole = pd.concat([earlier, table], ignore_index=True) if len(earlier) else table
        write(path, _parquet(whole))


def saved(folder: Path, version: str) -> dict[str, DataFrame]:
    """The tables of a version by name; none where none were written. Raises CaveatError."""
    return read_folder(folder / FOLDER / version)


def read_folder(folder: Path) -> dict[str, DataFrame]:
    """The tables in a folder by name. Raises CaveatError for a damaged one."""
    paths = sorted(folder.glob("*.parquet"))
    return {path.stem: _read(path) for path in paths if not path.name.startswith(".")}


def write_folder(folder: Path, tables: Mapping[str, DataFrame]) -> None:
    """Write each table as a file of its name. Raises Unwritable."""
    for name, table in tables.items():
        write(folder / f"{name}.parquet", _parquet(table))


def _path(folder: Path, version: str, name: str) -> Path:
    return folder / FOLDER / version / f"{name}.parquet"


def _parquet(table: DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(content.schema.metadata or {}), ABOUT: json.dumps(stamp()).encode("utf-8")}
    buffer = io.BytesIO()
    pq.write_table(content.replace_schema_metadata(metadata), buffer, compression="zstd")
    return buffer.getvalue()


def _read(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path).to_pandas()
    except (OSError, pa.ArrowException):
        raise CaveatError(f"{path}: damaged; delete it and run caveat diagnose again") from None
