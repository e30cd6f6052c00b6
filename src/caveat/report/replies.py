"""Replies as compact JSON that is safe inside a script element."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from caveat.report.numbers import number, text

if TYPE_CHECKING:
    from pandas import DataFrame, Series

SHOWN = (
    "setting", "model", "arm", "context", "verdict", "seed", "purpose", "readout", "scope", "kind",
    "dose", "question", "sample", "truncated", "prompt", "reply", "artifact",
)  # fmt: skip


def packed(replies: DataFrame) -> dict[str, Any]:
    """Columns as lists of distinct values and codes into it, since most of them repeat.

    `codes` is absent where all rows share one value. `value` holds numbers or null.
    """
    columns = {name: _coded(replies[name]) for name in SHOWN}
    values = [_short(number(value)) for value in replies["value"]]
    return {"count": len(replies), "columns": columns, "value": values}


def _coded(column: Series) -> dict[str, Any]:
    positions: dict[str, int] = {}
    codes = [positions.setdefault(text(value), len(positions)) for value in column]
    coded: dict[str, Any] = {"values": list(positions)}
    return coded if len(positions) <= 1 else {**coded, "codes": codes}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def script_json(value: Any) -> str:
    """`value` as JSON that can neither end a script element nor open a comment in it."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written
