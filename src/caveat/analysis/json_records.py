"""Tables as plain records, as `--json` prints them."""

from __future__ import annotations

import json

import pandas as pd


def records(leakage: pd.DataFrame) -> list[dict]:
    """One dictionary a row of the leakage table, of plain values that `json.dumps` takes.

    `rate` is {"value", "low", "high"}; so is `leakage`, or None where `undefined` has the reason.
    `kind` is there only where the table is by kind. No NaN is left.
    """
    return [_record(row) for row in leakage.to_dict("records")]


def plain(frame: pd.DataFrame) -> list[dict]:
    """The rows as plain dictionaries that `json.dumps` takes: null for what is missing, the dose
    read."""
    return [
        {
            name: json.loads(value) if name == "dose" else None if pd.isna(value) else value
            for name, value in row.items()
        }
        for row in frame.astype(object).to_dict("records")
    ]


def _record(row: dict) -> dict:
    undefined = row["undefined"] if isinstance(row["undefined"], str) else None
    names = ["setting", "phenomenon", "behaviour", "caveat", "model", "arm", "context", "scope"]
    return {
        **{name: str(row[name]) for name in [*names, "readout", "kind"] if name in row},
        "dose": json.loads(row["dose"]),
        "rate": _interval(row, "rate", "rate_low", "rate_high"),
        "leakage": None if undefined else _interval(row, "leakage", "leakage_low", "leakage_high"),
        "undefined": undefined,
        "interval": str(row["interval"]),
        **{name: int(row[name]) for name in ("questions", "clusters", "seeds", "replies")},
        **{name: float(row[name]) for name in ("valid", "truncated")},
    }


def _interval(row: dict, *columns: str) -> dict[str, float | None]:
    values = (row[column] for column in columns)
    return {
        name: None if pd.isna(value) else float(value)
        for name, value in zip(("value", "low", "high"), values, strict=True)
    }
