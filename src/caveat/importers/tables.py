"""`caveat import table FILE`: verdicts in a CSV, JSON Lines, JSON or parquet file, never pickle."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError, closest
from caveat.files.hashing import sha256_of
from caveat.importers.validation import DEFAULTS, Imported, checked

if TYPE_CHECKING:
    from pandas import DataFrame


def read_table(path: Path) -> DataFrame:
    """A file's rows, every value as text or None, with a column `where` for errors ("FILE, row 3").

    Rows count from 1, a CSV's heading not among them. Raises CaveatError, in one line, for a file
    that is missing, empty, of another kind, or not what its name says.
    """
    if path.is_dir():
        raise CaveatError(f"{path}: is a folder; give a file {_endings()}")
    if not path.is_file():
        raise CaveatError(f"{path}: no such file{_nearby(path)}")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise CaveatError(f"{path}: not a table that can be read; give a file {_endings()}")
    try:
        frame = reader(path)
    except Exception as error:  # readers raise many kinds for a file that its name does not fit
        raise CaveatError(
            f"{path}: cannot be read as {path.suffix[1:]}: {_reason(error)}; fix the file"
        ) from None
    return _text_table(frame, path)


def _csv(path: Path) -> DataFrame:
    import pandas as pd

    with warnings.catch_warnings():
        # without index_col=False a row that is too long would shift the columns; with it, it is cut
        # and only warned of
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            path, dtype=str, keep_default_na=False, index_col=False, low_memory=False
        )


def _json_lines(path: Path) -> DataFrame:
    return _json(path, lines=True)


def _json(path: Path, lines: bool = False) -> DataFrame:
    import pandas as pd

    return pd.read_json(path, lines=lines, dtype=False, orient="records", encoding="utf-8")


def _parquet(path: Path) -> DataFrame:
    import pandas as pd

    return pd.read_parquet(path)


READERS: dict[str, Callable[[Path], DataFrame]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
}


def require_columns(frame: DataFrame, columns: Iterable[str], path: Path) -> None:
    """Raise CaveatError, naming the columns, where a table lacks some."""
    missing = [column for column in columns if column not in frame]
    present = [name for name in frame if name != "where"]
    if missing:
        noun, pronoun = ("column", "it") if len(missing) == 1 else ("columns", "them")
        raise CaveatError(
            f"{path}: lacks the {noun} {', '.join(missing)} (it has {', '.join(present)}); "
            f"add {pronoun}{closest(missing[0], present)}"
        )


def _text_table(frame: DataFrame, path: Path) -> DataFrame:
    import pandas as pd

    if not len(frame):
        raise CaveatError(f"{path}: has no rows; give it at least one")
    names = [str(name).strip() for name in frame.columns]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise CaveatError(f"{path}: has the column {duplicate!r} twice; keep one")
    columns = {
        name: [as_text(value) for value in frame.iloc[:, index]] for index, name in enumerate(names)
    }
    columns["where"] = [f"{path}, row {number}" for number in range(1, len(frame) + 1)]
    return pd.DataFrame(columns, dtype=object)


def as_text(value: Any) -> str | None:
    """A value as text, None where it is missing or blank. Whole numbers have no decimal point."""
    import numpy as np

    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    # half a surrogate pair, which JSON can spell, cannot be written as UTF-8
    written = str(value).encode("utf-8", "replace").decode("utf-8")
    return written if written.strip() and written != "<NA>" else None


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:200] or type(error).__name__


def _endings() -> str:
    *names, last = READERS
    return f"that ends in {', '.join(names)} or {last}"


def _nearby(path: Path) -> str:
    try:
        names = sorted(file.name for file in path.parent.iterdir())
    except OSError:
        names = []
    return closest(path.name, names) or "; check the path"


REQUIRED = ("setting", "arm", "context", "question", "verdict")
KNOWN = (*REQUIRED, "cluster", "seed", *DEFAULTS)


def read(path: Path, model: str | None) -> Imported:
    """The verdicts of a CSV, JSON Lines, JSON or parquet file, a reply a row.

    Columns: those of `REQUIRED`; optional ones are cluster (else the question), seed (of training),
    sample (else 0: one reply a question), reply, prompt, phenomenon, kind, scope (else trained),
    model (else `model`) and readout. Other columns are noted, not read. Raises CaveatError for a
    file or a row that cannot be used.
    """
    frame = read_table(path)
    require_columns(frame, REQUIRED, path)
    if model is not None and "model" not in frame:
        frame["model"] = model
    unread = [name for name in frame if name not in (*KNOWN, "where")]
    notes = (f"columns of {path.name} not read: {', '.join(unread)}",) if unread else ()
    replies = checked(frame.drop(columns=unread))
    source = {"format": "table", "file": path.name, "sha256": sha256_of(path)}
    return Imported(path.stem, replies, source, notes=notes)
