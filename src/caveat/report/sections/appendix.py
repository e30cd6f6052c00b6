"""The end of the report: answers as compact JSON, failures, and provenance."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.report.data import ReportData
from caveat.report.formatting import number, text
from caveat.report.sections.table import Table

if TYPE_CHECKING:
    from pandas import DataFrame, Series


COLUMNS = (
    "setting", "model", "arm", "context", "verdict", "seed", "purpose", "readout", "scope", "kind",
    "dose", "question", "sample", "truncated", "prompt", "reply", "artifact",
)  # fmt: skip


def packed(replies: DataFrame) -> dict[str, Any]:
    """Columns as lists of distinct values and codes into it, since most of them repeat.

    `codes` is absent where all rows share one value. `value` holds numbers or null.
    """
    columns = {name: _coded(replies[name]) for name in COLUMNS}
    values = [_short(number(value)) for value in replies["value"].tolist()]
    return {"count": len(replies), "columns": columns, "value": values}


def _coded(column: Series) -> dict[str, Any]:
    """Values as text, in order of appearance; what reads alike has one code."""
    import numpy as np
    import pandas as pd

    codes, values = pd.factorize(column.astype(object), use_na_sentinel=False)
    texts = [text(value) for value in values]
    positions = {value: index for index, value in enumerate(dict.fromkeys(texts))}
    coded: dict[str, Any] = {"values": list(positions)}
    if len(positions) <= 1:
        return coded
    recoded = np.array([positions[value] for value in texts])
    return {**coded, "codes": recoded[codes].tolist()}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def compressed(value: Any) -> str:
    """`value` as JSON, with gzip and base 64: safe in a page, and a tenth as long."""
    written = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(written.encode("ascii"), 6, mtime=0)).decode("ascii")


def failures(data: ReportData) -> Table:
    """Cells that failed, at which stage and why."""
    columns = ("cell", "stage", "reason")
    rows = data.frame("failures")[list(columns)].itertuples(index=False)
    return Table.of(columns, [tuple(map(text, row)) for row in rows])


@dataclass(frozen=True)
class Item:
    """One recorded entry of the provenance: a line, a block of text, or further items."""

    name: str
    line: str = ""
    block: str = ""
    inner: tuple[Item, ...] = ()


def notes(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """What readers have to know, such as a system prompt inserted by a chat template."""
    recorded = provenance.get("notes") or ()
    return (recorded,) if isinstance(recorded, str) else tuple(text(note) for note in recorded)


def items(provenance: Mapping[str, Any]) -> tuple[Item, ...]:
    """Everything but the notes; short lines first, blocks of text last."""
    entries = [_item(name, value) for name, value in provenance.items() if name != "notes"]
    return tuple(sorted(entries, key=lambda item: (bool(item.block), bool(item.inner))))


def _item(name: object, value: Any) -> Item:
    label = str(name).replace("_", " ")
    if isinstance(value, Mapping):
        return Item(label, inner=tuple(_item(key, inner) for key, inner in value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Item(label, line=", ".join(text(entry) for entry in value))
    if isinstance(value, float):
        return Item(label, line=f"{value:,.1f}" if abs(value) >= 0.05 else f"{value:.2g}")
    written = text(value)
    return Item(label, block=written) if "\n" in written else Item(label, line=written)
