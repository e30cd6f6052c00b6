"""Scores of forecasts as plain records, as `caveat forecast --json --against` prints them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from caveat.measure.forecast_scores import FIGURES

NAMES = {name: "rank_correlation" if name == "rank" else name for name in FIGURES}


def forecast_records(
    forecasts: list[dict[str, Any]], cells: pd.DataFrame, scores: pd.DataFrame
) -> dict[str, list[dict[str, Any]]]:
    """`forecasts`, each with its `leakage` or null and why it is `left_out` or null, and `scores`.

    A figure is {"value", "low", "high"}, or null where there is none; no NaN is left.
    """
    places = cells["place"].tolist()
    joined = [
        {
            **forecasts[place],
            "leakage": None if pd.isna(row["leakage"]) else float(row["leakage"]),
            "left_out": row["left_out"] or None,
        }
        for place, row in zip(places, cells.to_dict("records"), strict=True)
    ]
    return {"forecasts": joined, "scores": [_score(row) for row in scores.to_dict("records")]}


def _score(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "arms": row["arms"],
        "predictor": row["predictor"],
        **{name: int(row[name]) for name in ("cells", "settings", "behaviours", "left_out")},
        **{NAMES[name]: _figure(row, name) for name in FIGURES},
        "trusted": bool(row["trusted"]),
        "undefined": row["undefined"] if isinstance(row["undefined"], str) else None,
    }


def _figure(row: dict[str, Any], name: str) -> dict[str, float | None] | None:
    if pd.isna(row[name]):
        return None
    ends = {"value": name, "low": f"{name}_low", "high": f"{name}_high"}
    return {end: None if pd.isna(row[key]) else float(row[key]) for end, key in ends.items()}
