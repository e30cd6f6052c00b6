"""A study in one file: its judged replies and what it says of itself, to send along and to keep.

A parquet file, which any program reads; what stands in `study.json`, the recipe's text and, as a
parquet file in base 64, what the updates of policies saw are in its metadata. Adapters, likelihoods
and prompts stay behind (of prompts, one a context is kept), so every figure can be made again and
nothing can be trained on.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.atomic import write
from caveat.files.reading import parse_json
from caveat.study.graded import COLUMNS as GRADED_COLUMNS
from caveat.study.storage.store import silent
from caveat.study.study import COLUMNS, NAMES, SEEN, Study
from caveat.study.tables import StudyTables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pandas import DataFrame


SUFFIX = ".parquet"
KEY, UPDATES, GRADED = b"caveat", b"caveat updates", b"caveat graded"
"""Of the file's metadata."""
PART_NAMES = {UPDATES: "updates of policies", GRADED: "scores of decision tokens"}
LEFT_BEHIND = ("prompt", "artifact")


def export(study: StudyTables, path: Path) -> Path:
    """Write the study to a file. Raises CaveatError for another ending, or where it cannot."""
    import pyarrow as pa

    if path.suffix != SUFFIX:
        raise CaveatError(f"'{path}': its name must end in {SUFFIX}")
    about = {
        "name": study.name,
        "version": study.version,
        "about": study.about,
        "schema_version": study.schema_version,
        "contexts": study.contexts(),
        "recipe": study.recipe_text(),
        "failures": study.failures().to_dict("records"),
    }
    table = pa.Table.from_pandas(study.answers().drop(columns=[*LEFT_BEHIND]), preserve_index=False)
    metadata = {KEY: json.dumps(about).encode("utf-8")}
    for key, frame in ((UPDATES, study.policies()), (GRADED, study.graded())):
        if len(frame):
            part = pa.Table.from_pandas(frame, preserve_index=False)
            metadata[key] = base64.b64encode(_parquet(part))
    write(path, _parquet(table.replace_schema_metadata(metadata)))
    return path


def _parquet(table: Any) -> bytes:
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(table, content, compression="zstd", compression_level=19)
    return content.getvalue()


PARTS = {
    "name": str,
    "version": str,
    "about": dict,
    "schema_version": int,
    "contexts": dict,
    "recipe": str,
    "failures": list,
}
"""What lies beside the table, and of which kind it is."""


class Exported(StudyTables):
    """Reads a file that `export` wrote."""

    def __init__(self, path: str | Path) -> None:
        self.source = Path(path)
        self._table, about = _read(self.source)
        self.name: str = about["name"]
        self.version: str = about["version"]
        self.about: dict[str, Any] = about["about"]
        self._rest = about

    def answers(self) -> DataFrame:
        """One row an answer, as the study had it; prompts are empty."""
        frame = self._table.to_pandas().assign(**dict.fromkeys(LEFT_BEHIND, ""))
        return frame[list(COLUMNS)].astype({"seed": "Int64"})

    def failures(self) -> DataFrame:
        """Cells that failed in the last run before the export: cell, stage, reason."""
        import pandas as pd

        return pd.DataFrame(self._rest["failures"], columns=["cell", "stage", "reason"])

    def policies(self) -> DataFrame:
        """One row an update of a policy, as the study had it; none where the file has none."""
        return self._part(UPDATES, (*NAMES, *SEEN))

    def graded(self) -> DataFrame:
        """Scores of decision tokens, as the study had them; none where the file has none."""
        return self._part(GRADED, GRADED_COLUMNS)

    def _part(self, key: bytes, columns: Sequence[str]) -> DataFrame:
        """A frame in the file's metadata; without rows where there is none."""
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as pq

        part = self._table.schema.metadata.get(key)
        if part is None:
            return pd.DataFrame(columns=[*columns])
        try:
            frame = pq.read_table(io.BytesIO(base64.b64decode(part))).to_pandas()
        except (ValueError, OSError, pa.ArrowException):
            raise _damaged(self.source) from None
        if missing := [name for name in columns if name not in frame]:
            raise CaveatError(
                f"{self.source}: its {PART_NAMES[key]} have no column {missing[0]!r}; export the "
                "study again"
            )
        return frame

    def contexts(self) -> dict[str, dict[str, str]]:
        """Per setting and context, the first prompt as it was put to the model."""
        return self._rest["contexts"]

    def recipe_text(self) -> str:
        """The recipe with every default written out, as YAML."""
        return self._rest["recipe"]

    @property
    def report_path(self) -> Path:
        """An HTML file beside this one."""
        return self.source.with_suffix(".html")

    @property
    def schema_version(self) -> int:
        """Of the records that the file was made from."""
        return int(self._rest["schema_version"])


def opened(
    place: Path, version: str | None = None, say: Callable[[str], None] = silent
) -> StudyTables:
    """The study in a folder, or in a file that `export` wrote.

    Raises CaveatError where there is none, and for a version of a file, which holds one only.
    """
    if place.suffix != SUFFIX or place.is_dir():
        return Study(place, version, say)
    study = Exported(place)
    if version not in (None, study.version):
        raise CaveatError(f"{place}: no version {version!r}; the file holds {study.version}")
    return study


def _read(path: Path) -> tuple[Any, dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise CaveatError(f"{path}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        message = " ".join(str(error).split())
        raise CaveatError(f"{path}: cannot be read as parquet ({message})") from None
    about = (table.schema.metadata or {}).get(KEY)
    if about is None:
        raise CaveatError(
            f"{path}: was not written by caveat export; verdicts of others: caveat import table"
        )
    try:
        parts = parse_json(about)
        if any(type(parts[name]) is not kind for name, kind in PARTS.items()):
            raise TypeError("a part is another's")
        if not {*COLUMNS} <= {*table.column_names, *LEFT_BEHIND}:
            raise ValueError("columns are missing")
    except (ValueError, TypeError, KeyError):
        raise _damaged(path) from None
    return table, parts


def _damaged(path: Path) -> CaveatError:
    return CaveatError(f"{path}: damaged; export the study again")
