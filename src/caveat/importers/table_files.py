"""Reading tables that others wrote: CSV, TSV, JSON, JSON Lines or parquet, as text; never pickle.

Separators are found in the heading. JSON may be nested: records below other keys keep those keys
as columns. Every mistake is one line in our own words, with the file and the row.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError, closest
from caveat.files.reading import nearby, parse_json

if TYPE_CHECKING:
    from pandas import DataFrame, Series


KEY = "key {}"
"""Names of the columns that hold the keys above nested records, counted from 1."""
DECIMAL = r"(?:-?\d+(?:,\d+)?)?"
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def read_table(path: Path, leaves: bool = False) -> DataFrame:
    """A file's rows, every value as text or None, with a column `where` for errors ("FILE, row 3").

    Rows count from 1, a CSV's heading not among them; blank rows are left out. Raises CaveatError,
    in one line, for a file that is missing, empty, of another kind, or not what its name says.

    Args:
        leaves: Take the innermost objects of nested JSON as rows, as summaries of rates have them.
    """
    try:
        return _text_table(*_read(path, leaves), path)
    except RecursionError:
        raise _unreadable(path, "it is nested too deeply; flatten it") from None


def _read(path: Path, leaves: bool) -> tuple[DataFrame, bool]:
    """The rows as they are, and whether all values are text already."""
    if path.is_dir():
        raise CaveatError(f"{path}: is a folder; give a file {_endings()}")
    if not path.is_file():
        raise CaveatError(f"{path}: no such file{nearby(path)}")
    ending = _ending(path)
    if ending not in READERS:
        raise CaveatError(f"{path}: not a table that can be read; give a file {_endings()}")
    frame = _json(path, leaves) if ending in JSON else READERS[ending](path)
    return frame, ending in TEXT


def _ending(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _text(path: Path) -> str:
    """Content of a text file, unpacked where its name ends in .gz, without a byte order mark."""
    try:
        content = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "damaged gzip"
        raise _unreadable(path, f"{reason}; fix the file") from None
    except Exception:  # zlib.error, which is a kind of its own
        raise _unreadable(path, "damaged gzip; fix the file") from None
    if not text.strip():
        raise CaveatError(f"{path}: is empty; give it a heading and rows")
    if "\0" in text:
        raise _unreadable(path, "it has a zero byte; save it as UTF-8")
    return text


def _unreadable(path: Path, reason: str) -> CaveatError:
    return CaveatError(f"{path}: cannot be read as {_ending(path)[1:]}: {reason}")


# Separated values


def _separated(path: Path) -> DataFrame:
    """Rows of a text file whose columns are separated by the sign that its heading has most of."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv as arrow

    text = _text(path)
    separator = _separator(text, path)
    columns = len(_cells(_heading(text), separator))
    texts = {f"f{index}": pa.string() for index in range(columns)}
    try:
        # pandas fills up rows that are too short, without a word; Arrow refuses them
        table = arrow.read_csv(
            io.BytesIO(text.encode("utf-8")),
            arrow.ReadOptions(autogenerate_column_names=True, block_size=len(text) * 4 + 1024),
            arrow.ParseOptions(delimiter=separator, newlines_in_values=True),
            arrow.ConvertOptions(column_types=texts, strings_can_be_null=False),
        )
    except pa.ArrowException:
        raise _first_fault(text, separator, path) from None
    names = [str(column[0]) for column in table.columns]
    content = {index: column[1:].to_pylist() for index, column in enumerate(table.columns)}
    rows = pd.DataFrame(content, dtype=object).set_axis(names, axis=1)
    return _with_decimal_points(rows) if separator == ";" else rows


def _with_decimal_points(frame: DataFrame) -> DataFrame:
    """Columns of numbers with decimal commas, which files with semicolons have, with points."""
    for index in range(len(frame.columns)):
        column = frame.iloc[:, index].str.strip()
        if column.str.contains(",", regex=False).any() and column.str.fullmatch(DECIMAL).all():
            frame = frame.copy()
            frame.isetitem(index, column.str.replace(",", ".", regex=False))
    return frame


def _separator(text: str, path: Path) -> str:
    """The sign that separates the most columns of the heading; a comma where there is one column.

    A file called .tsv may be separated by tabs only.
    """
    if path.name.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t"
    counts = {sign: len(_cells(_heading(text), sign)) for sign in SEPARATORS}
    return max(SEPARATORS, key=lambda sign: counts[sign])


def _heading(text: str) -> str:
    return text.lstrip("\r\n").split("\n", 1)[0].rstrip("\r")


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def _first_fault(text: str, separator: str, path: Path) -> CaveatError:
    """The error for the first row that has another number of columns than the heading."""
    rows = csv.reader(io.StringIO(text), delimiter=separator)
    name = SEPARATORS[separator]
    heading: list[str] = []
    number = -1
    try:
        for cells in rows:
            if not cells:
                continue
            number += 1
            if not number:
                heading = cells
            elif len(cells) != len(heading):
                other = _other_separator(cells, len(heading), separator)
                fix = (
                    f"it seems to be separated by {SEPARATORS[other]}; use one separator"
                    if other
                    else "quote values that have one in them, or fill in what is missing"
                )
                return CaveatError(
                    f"{path}, row {number}: has {len(cells)} of {len(heading)} columns "
                    f"(separated by {name}); {fix}"
                )
    except csv.Error as error:
        return CaveatError(f"{path}, row {max(number, 0) + 1}: cannot be read ({error}); fix it")
    return _unreadable(path, f"a quotation mark is not closed after row {number}; close it")


def _other_separator(cells: list[str], columns: int, separator: str) -> str | None:
    line = separator.join(cells)
    others = (sign for sign in SEPARATORS if sign != separator)
    return next((sign for sign in others if len(_cells(line, sign)) == columns > 1), None)


# JSON


def _json(path: Path, leaves: bool = False) -> DataFrame:
    """Records of JSON: a list, one object a line, columns of lists, or records below other keys."""
    text = _text(path)
    try:
        content = parse_json(text)
    except json.JSONDecodeError as error:
        first, *others = text.strip().splitlines()
        if path.suffix.lower() != ".jsonl" and not (others and _is_object(first)):
            raise _unreadable(
                path, f"{error.msg} at line {error.lineno}, column {error.colno}; fix it"
            ) from None
        content = list(_lines(text, path))
    except ValueError as error:
        raise _unreadable(path, f"{error}; fix it") from None
    if isinstance(content, dict) and path.suffix.lower() == ".jsonl" and "\n" not in text.strip():
        content = [content]
    return _frame(_records(content, leaves, path), path)


def _is_object(line: str) -> bool:
    try:
        return isinstance(parse_json(line), dict)
    except ValueError:
        return False


def _lines(text: str, path: Path) -> Iterator[Any]:
    for number, line in enumerate(filter(str.strip, text.split("\n")), 1):
        try:
            record = parse_json(line)
        except json.JSONDecodeError as error:
            raise CaveatError(
                f"{path}, row {number}: is not JSON: {error.msg} at column {error.colno}; "
                "write one object a line"
            ) from None
        except ValueError as error:
            raise CaveatError(f"{path}, row {number}: cannot be used: {error}; fix it") from None
        yield record


def _records(content: Any, leaves: bool, path: Path) -> list[dict[str, Any]]:
    """The records, wherever they lie. Raises CaveatError where there are none, or not alone."""
    if isinstance(content, list):
        for number, record in enumerate(content, 1):
            if not isinstance(record, dict):
                raise CaveatError(
                    f"{path}, row {number}: is {json.dumps(record)[:40]}, not an object with named "
                    'values; write rows as {"arm": "base", ...}'
                )
        return content
    if not isinstance(content, dict):
        raise CaveatError(
            f"{path}: holds {json.dumps(content)[:40]}, not rows; give a list of rows"
        )
    values = [value for column in content.values() if isinstance(column, list) for value in column]
    is_columns = all(isinstance(column, list) for column in content.values())
    if values and is_columns and not any(isinstance(value, dict) for value in values):
        return _from_columns(content, path)
    if leaves and content and not any(isinstance(part, list | dict) for part in content.values()):
        return [content]
    below = list(_below(content, leaves, ()))
    if not below:
        raise CaveatError(
            f"{path}: has no list of rows in it (keys: {', '.join(map(str, content))[:80]}); "
            "give a list of objects, one a reply, or use caveat import rates for a summary"
        )
    return below


def _from_columns(content: dict[str, list[Any]], path: Path) -> list[dict[str, Any]]:
    lengths = {name: len(values) for name, values in content.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise CaveatError(f"{path}: its columns differ in length ({sizes}); make them alike")
    return [dict(zip(content, row, strict=True)) for row in zip(*content.values(), strict=True)]


def _below(
    content: dict[str, Any], leaves: bool, keys: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Records in lists below a mapping, with the keys on the way and the values beside lists."""
    nested = {name: value for name, value in content.items() if isinstance(value, list | dict)}
    beside = {name: value for name, value in content.items() if name not in nested}
    for name, value in nested.items():
        way = (*keys, str(name))
        above = {KEY.format(index): key for index, key in enumerate(way, 1)}
        if isinstance(value, list):
            rows = ({**above, **record} for record in value if isinstance(record, dict))
        elif leaves and value and not any(isinstance(part, list | dict) for part in value.values()):
            rows = iter([{**above, **value}])
        else:
            rows = _below(value, leaves, way)
        for record in rows:
            yield {**beside, **record}


def _frame(records: list[dict[str, Any]], path: Path) -> DataFrame:
    """A table of records; what is nested in one is a column `outer.inner`."""
    import pandas as pd

    if not records:
        raise CaveatError(f"{path}: has no rows; give it at least one")
    if any(isinstance(value, dict) for record in records for value in record.values()):
        return pd.DataFrame(pd.json_normalize(records), dtype=object)
    return pd.DataFrame(records, dtype=object)


def _parquet(path: Path) -> DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except Exception as error:  # readers raise many kinds for a file that its name does not fit
        reason = getattr(error, "strerror", None) or "it is damaged, or no parquet"
        raise _unreadable(path, f"{reason}; fix the file") from None


JSON = (".jsonl", ".json")
READERS: dict[str, Callable[[Path], DataFrame]] = {
    ".csv": _separated,
    ".tsv": _separated,
    ".jsonl": _json,
    ".json": _json,
    ".parquet": _parquet,
}
TEXT = (".csv", ".tsv")


def _text_table(frame: DataFrame, is_text: bool, path: Path) -> DataFrame:
    import pandas as pd

    if not len(frame) or not len(frame.columns):
        raise CaveatError(f"{path}: has no rows; give it at least one")
    names = [(as_text(name) or "").strip() for name in frame.columns]
    duplicate = next((name for name, count in Counter(names).items() if count > 1), None)
    if duplicate is not None:
        raise CaveatError(f"{path}: has the column {duplicate!r} twice; keep one")
    columns = {
        name: _filled(frame.iloc[:, index])
        if is_text
        else [as_text(value) for value in frame.iloc[:, index]]
        for index, name in enumerate(names)
    }
    columns["where"] = [f"{path}, row {number}" for number in range(1, len(frame) + 1)]
    table = pd.DataFrame(columns, dtype=object)
    filled = table.drop(columns="where").notna().any(axis=1)
    if not filled.any():
        raise CaveatError(f"{path}: has no rows; give it at least one")
    return table if filled.all() else table[filled].reset_index(drop=True)


def _filled(column: Series) -> Any:
    """Text with None for what is blank."""
    values = column.astype(object)
    return values.where(values.str.strip() != "", None).to_numpy()


def as_text(value: Any) -> str | None:
    """A value as text, None where it is missing or blank. Whole numbers have no decimal point."""
    import numpy as np

    if isinstance(value, str):  # by far the most frequent
        written = value
    else:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        written = str(value)
    # half a surrogate pair, which JSON can spell, cannot be written as UTF-8
    written = written.encode("utf-8", "replace").decode("utf-8")
    return written if written.strip() and written != "<NA>" else None


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


def _endings() -> str:
    *names, last = READERS
    return f"that ends in {', '.join(names)} or {last}"
