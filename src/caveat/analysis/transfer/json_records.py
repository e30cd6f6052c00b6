"""The transfer matrix as plain records, as `caveat transfer --json` prints them."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from caveat.analysis.transfer.correlations import SIDES
from caveat.analysis.transfer.forgetting import PARTS
from caveat.analysis.transfer.matrix import FIGURES

NAMES = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "scope", "readout", "intervention",
    "role", "arm", "control", "verdict", "interval",
)  # fmt: skip
EFFECT = ("setting", "model", "dose", "arm")
RELIABILITY = ("setting", "phenomenon", "behaviour", "model", "readout", "scope")


def transfer_records(
    transfer: pd.DataFrame,
    transfer_effects: pd.DataFrame,
    transfer_correlations: pd.DataFrame,
    transfer_reliability: pd.DataFrame,
    transfer_forgetting: pd.DataFrame,
) -> dict[str, list[dict]]:
    """The frames of `Study` as lists of plain dictionaries that `json.dumps` takes; no NaN is left.

    What has an interval is {"value", "low", "high"}, or None. `docs/transfer.md` says what is what.
    """
    return {
        "matrix": [_cell(row, transfer_effects) for row in transfer.to_dict("records")],
        "correlations": [_correlation(row) for row in transfer_correlations.to_dict("records")],
        "reliability": [_reliability(row) for row in transfer_reliability.to_dict("records")],
        "forgetting": [_forgetting(row) for row in transfer_forgetting.to_dict("records")],
    }


def _cell(row: dict, effects: pd.DataFrame) -> dict:
    same = (effects[list(EFFECT)] == [row[name] for name in EFFECT]).all(axis=1)
    return {
        **{name: str(row[name]) for name in NAMES},
        "control": str(row["control"]) or None,
        "dose": json.loads(row["dose"]),
        "main": bool(row["main"]),
        "loses": bool(row["loses"]),
        **{name: _interval(row, name, f"{name}_low", f"{name}_high") for name in FIGURES},
        **{name: _plain(row[name]) for name in ("p", "p_holm", "gain_p", "gain_p_holm", "valid")},
        "undefined": row["undefined"],
        "side_effects": [_effect(each) for each in effects[same].to_dict("records")],
    }


def _effect(row: dict) -> dict:
    return {
        **{name: str(row[name]) for name in ("effect", "unit", "readout")},
        "value": _interval(row, "value", "low", "high"),
        "change": _interval(row, "change", "change_low", "change_high"),
    }


def _correlation(row: dict) -> dict:
    return {
        "model": str(row["model"]),
        "level": str(row["level"]),
        **{side: _side(row, side) for side in ("first", "second")},
        "behaviours": str(row["behaviours"]) or None,
        **{name: int(row[name]) for name in ("pairs", "interventions")},
        "correlation": _interval(row, "value", "low", "high"),
        "over_interventions": _interval(row, "value", "low_interventions", "high_interventions"),
        **{name: _plain(row[name]) for name in ("p", "p_holm", "ceiling")},
        "undefined": row["undefined"],
    }


def _side(row: dict, side: str) -> dict:
    named = {name: str(row[f"{side}_{name}"]) or None for name in SIDES}
    return {**named, "dose": json.loads(named["dose"]) if named["dose"] else None}


def _reliability(row: dict) -> dict:
    return {
        **{name: str(row[name]) for name in RELIABILITY},
        "dose": json.loads(row["dose"]),
        "main": bool(row["main"]),
        **{name: int(row[name]) for name in ("interventions", "seeds")},
        **{name: _plain(row[name]) for name in ("between_seeds", "reliability")},
        "undefined": row["undefined"],
    }


def _forgetting(row: dict) -> dict:
    return {
        "model": str(row["model"]),
        "level": str(row["level"]),
        **{side: _side(row, side) for side in ("first", "second")},
        "interventions": int(row["interventions"]),
        **{part: _interval(row, part, f"{part}_low", f"{part}_high") for part in PARTS},
        "undefined": row["undefined"],
    }


def _interval(row: dict, *columns: str) -> dict[str, float | None] | None:
    values = [_plain(row[column]) for column in columns]
    if values[0] is None:
        return None
    return dict(zip(("value", "low", "high"), values, strict=True))


def _plain(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
