"""The tables of a study as plain records, as the option `--json` of its commands prints them.

Every function gives dictionaries and lists that `json.dumps` takes. A value with an interval is
{"value", "low", "high"}, or None where there is none; no NaN is left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from caveat.analysis.forecast import METRICS as FORECAST_METRICS
from caveat.analysis.ladder.changes import METRICS as CHANGES
from caveat.analysis.ladder.changes import SIDES
from caveat.analysis.ladder.elicitation import METRICS as RELATIONS
from caveat.analysis.ladder.ladder import METRICS as SETTING_METRICS
from caveat.analysis.ladder.ladder import Ladder
from caveat.analysis.mixed_model import MixedModel
from caveat.analysis.transfer.correlations import SIDES as PAIR_SIDES
from caveat.analysis.transfer.forgetting import PARTS
from caveat.analysis.transfer.matrix import METRICS as TRANSFER_METRICS

Row = Mapping[str, Any]
LEAKAGE_NAMES = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "arm", "context", "scope", "readout",
    "kind",
)  # fmt: skip


def leakage_records(leakage: pd.DataFrame) -> list[dict]:
    """One dictionary a row of the leakage table.

    `leakage` is None where `undefined` has the reason; so is `graded_leakage`, where
    `graded_undefined` has it. `kind` is there only where the table is by kind.
    `recitation` is None where no reply could recite a text of the caveat.
    """
    return [_leakage(row) for row in leakage.to_dict("records")]


def _leakage(row: Row) -> dict:
    undefined = row["undefined"] if isinstance(row["undefined"], str) else None
    return {
        **{name: str(row[name]) for name in LEAKAGE_NAMES if name in row},
        "dose": json.loads(row["dose"]),
        "rate": _interval(row, "rate"),
        "leakage": None if undefined else _interval(row, "leakage"),
        "undefined": undefined,
        **_graded(row),
        "interval": str(row["interval"]),
        **({"recitation": _interval(row, "recitation")} if "recitation" in row else {}),
        **{name: int(row[name]) for name in ("questions", "clusters", "seeds", "replies")},
        # rates that others reported come without these shares
        **{
            name: None if pd.isna(row[name]) else float(row[name])
            for name in ("valid", "truncated")
        },
    }


def _graded(row: Row) -> dict:
    """What decision tokens show: None where they are not scored, nothing in a table by kind."""
    if "nats" not in row:
        return {}
    undefined = row["graded_undefined"] if isinstance(row["graded_undefined"], str) else None
    return {
        "nats": _interval(row, "nats"),
        "graded_leakage": None if undefined else _interval(row, "graded_leakage"),
        "graded_undefined": undefined,
    }


def plain_records(frame: pd.DataFrame) -> list[dict]:
    """The rows as they are: None for what is missing, the dose parsed."""
    return [
        {
            name: json.loads(value) if name == "dose" else None if pd.isna(value) else value
            for name, value in row.items()
        }
        for row in frame.astype(object).to_dict("records")
    ]


SETTING_NAMES = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "scope", "readout", "expected",
    "k_note", "interval",
)  # fmt: skip


def ladder_records(ladder: Ladder) -> dict[str, list[dict]]:
    """The frames of the ladder, by name; `docs/ladder.md` documents the keys."""
    frames = {
        "settings": (_setting, ladder.settings),
        "steps": (_step, ladder.steps),
        "effects": (_effect, ladder.effects),
        "interactions": (_interaction, ladder.interactions),
        "elicitation_curves": (_elicitation_curve, ladder.elicitation_curves),
    }
    return {
        name: [record(row) for row in frame.to_dict("records")]
        for name, (record, frame) in frames.items()
    }


def _setting(row: Row) -> dict:
    return {
        "number": int(row["number"]),
        **{name: str(row[name]) for name in SETTING_NAMES},
        "dose": json.loads(row["dose"]),
        "factors": json.loads(row["factors"]),
        **{name: _interval(row, name) for name in SETTING_METRICS},
        "undefined": row["undefined"],
    }


def _step(row: Row) -> dict:
    return {
        **{name: str(row[name]) for name in ("factor", "start", "end")},
        "others": json.loads(row["others"]),
        **{
            side: {"number": int(row[side]), "setting": str(row[f"{side}_setting"])}
            for side in SIDES
        },
        "paired": bool(row["paired"]),
        **_changes(row),
    }


def _effect(row: Row) -> dict:
    return {
        **{name: str(row[name]) for name in ("factor", "start", "end")},
        **{name: int(row[name]) for name in ("pairs", "rate_pairs")},
        **_changes(row),
    }


def _interaction(row: Row) -> dict:
    return {
        **{
            side: {name: str(row[f"{side}_{name}"]) for name in ("factor", "start", "end")}
            for side in SIDES
        },
        "others": json.loads(row["others"]),
        "settings": [int(number) for number in row["settings"].split(", ")],
        **_changes(row),
    }


P_ENDS = ("_p", "_p_holm", "_p_seeds")


def _changes(row: Row) -> dict:
    changes: dict[str, Any] = {}
    for name in CHANGES:
        changes[name] = _interval(row, name)
        changes |= {f"{name}{end}": _number(row[f"{name}{end}"]) for end in P_ENDS}
    return {**changes, "undefined": row["undefined"], "interval": str(row["interval"])}


def _elicitation_curve(row: Row) -> dict:
    relations: dict[str, Any] = {}
    for name in RELATIONS:
        relations[name] = _interval(row, name)
        limits = (f"{name}_low_settings", f"{name}_high_settings")
        relations[f"{name}_over_settings"] = _interval(row, name, *limits)
    k = {name.removeprefix("k_"): _number(row[name]) for name in ("k_mean", "k_least", "k_most")}
    return {
        **{name: str(row[name]) for name in ("family", "name")},
        "settings": int(row["settings"]),
        **relations,
        "p": _number(row["p"]),
        "k": {
            "settings": int(row["k_settings"]),
            **k,
            "q": _number(row["q"]),
            "p": _number(row["q_p"]),
        },
        "undefined": row["undefined"],
        "interval": None if pd.isna(row["interval"]) else str(row["interval"]),
    }


CELL_NAMES = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "scope", "readout", "intervention",
    "role", "arm", "control", "verdict", "interval",
)  # fmt: skip
CELL_NUMBERS = (
    "p", "p_holm", "p_seeds", "gain_p", "gain_p_holm", "gain_p_seeds", "valid",
)  # fmt: skip
ARM_NAMES = ("setting", "model", "dose", "arm")
RELIABILITY_NAMES = ("setting", "phenomenon", "behaviour", "model", "readout", "scope")


def transfer_records(
    transfer: pd.DataFrame,
    transfer_effects: pd.DataFrame,
    transfer_correlations: pd.DataFrame,
    transfer_reliability: pd.DataFrame,
    transfer_forgetting: pd.DataFrame,
) -> dict[str, list[dict]]:
    """The frames of `Study.transfer_frames`; `docs/transfer.md` documents the keys."""
    return {
        "matrix": [_cell(row, transfer_effects) for row in transfer.to_dict("records")],
        "correlations": [_correlation(row) for row in transfer_correlations.to_dict("records")],
        "reliability": [_reliability(row) for row in transfer_reliability.to_dict("records")],
        "forgetting": [_forgetting(row) for row in transfer_forgetting.to_dict("records")],
    }


def _cell(row: Row, effects: pd.DataFrame) -> dict:
    same = (effects[list(ARM_NAMES)] == [row[name] for name in ARM_NAMES]).all(axis=1)
    return {
        **{name: str(row[name]) for name in CELL_NAMES},
        "control": str(row["control"]) or None,
        "dose": json.loads(row["dose"]),
        "primary": bool(row["primary"]),
        "loses": bool(row["loses"]),
        "undoes": bool(row["undoes"]),
        **{name: _interval(row, name) for name in TRANSFER_METRICS},
        **{name: _number(row[name]) for name in CELL_NUMBERS},
        "undefined": row["undefined"],
        "side_effects": [_side_effect(effect) for effect in effects[same].to_dict("records")],
    }


def _side_effect(row: Row) -> dict:
    return {
        **{name: str(row[name]) for name in ("effect", "unit", "readout")},
        "value": _interval(row, "value", "low", "high"),
        "change": _interval(row, "change"),
    }


def _correlation(row: Row) -> dict:
    return {
        "model": str(row["model"]),
        "level": str(row["level"]),
        **{side: _side(row, side) for side in ("first", "second")},
        "behaviours": str(row["behaviours"]) or None,
        **{name: int(row[name]) for name in ("pairs", "interventions")},
        "correlation": _interval(row, "value", "low", "high"),
        "over_interventions": _interval(row, "value", "low_interventions", "high_interventions"),
        **{name: _number(row[name]) for name in ("p", "p_holm", "ceiling")},
        "leaving_one_out": {
            end: {"value": _number(row[end]), "without": row[f"{end}_without"]}
            for end in ("least", "most")
        }
        if pd.notna(row["least"])
        else None,
        "without_undoing": {"value": _number(row["kept_value"]), "interventions": int(row["kept"])}
        if pd.notna(row["kept"])
        else None,
        "undefined": row["undefined"],
    }


def _side(row: Row, side: str) -> dict:
    names = {name: str(row[f"{side}_{name}"]) or None for name in PAIR_SIDES}
    return {**names, "dose": json.loads(names["dose"]) if names["dose"] else None}


def _reliability(row: Row) -> dict:
    return {
        **{name: str(row[name]) for name in RELIABILITY_NAMES},
        "dose": json.loads(row["dose"]),
        "primary": bool(row["primary"]),
        **{name: int(row[name]) for name in ("interventions", "seeds")},
        **{name: _number(row[name]) for name in ("between_seeds", "reliability")},
        "undefined": row["undefined"],
    }


def _forgetting(row: Row) -> dict:
    return {
        "model": str(row["model"]),
        "level": str(row["level"]),
        **{side: _side(row, side) for side in ("first", "second")},
        "interventions": int(row["interventions"]),
        **{part: _interval(row, part) for part in PARTS},
        "undefined": row["undefined"],
    }


def mixed_records(model: MixedModel) -> dict[str, Any]:
    """The mixed model: `formula`, `rows`, `spreads`, `note` or None, and two lists, `left_out` and
    `effects`."""
    effects = [
        {
            "term": str(row["term"]),
            "logits": _interval(row, "estimate", "low", "high"),
            **{name: _number(row[name]) for name in ("p", "freedom", "rate_p")},
            "rate_change": _interval(row, "rate_change", "rate_low", "rate_high"),
            "undefined": row["undefined"],
        }
        for row in model.effects.to_dict("records")
    ]
    return {
        "formula": model.formula,
        "rows": model.rows,
        "spreads": model.spreads,
        "note": model.note or None,
        "left_out": list(model.left_out),
        "effects": effects,
    }


FORECAST_NAMES = {name: "rank_correlation" if name == "rank" else name for name in FORECAST_METRICS}


def forecast_records(
    forecasts: list[dict[str, Any]], cells: pd.DataFrame, scores: pd.DataFrame
) -> dict[str, list[dict[str, Any]]]:
    """`forecasts`, each with its `leakage` or None and why it is `left_out` or None; `scores`."""
    positions = cells["position"].tolist()
    joined = [
        {
            **forecasts[position],
            "leakage": None if pd.isna(row["leakage"]) else float(row["leakage"]),
            "left_out": row["left_out"] or None,
        }
        for position, row in zip(positions, cells.to_dict("records"), strict=True)
    ]
    return {"forecasts": joined, "scores": [_score(row) for row in scores.to_dict("records")]}


def _score(row: Row) -> dict[str, Any]:
    return {
        "arms": row["arms"],
        "predictor": row["predictor"],
        **{name: int(row[name]) for name in ("cells", "settings", "behaviours", "left_out")},
        **{FORECAST_NAMES[name]: _interval(row, name) for name in FORECAST_METRICS},
        "trusted": bool(row["trusted"]),
        "undefined": row["undefined"] if isinstance(row["undefined"], str) else None,
    }


def _interval(row: Row, name: str, low: str = "", high: str = "") -> dict | None:
    """The value of `name` with its limits: columns `low` and `high`, or `name_low`, `name_high`."""
    columns = (name, low or f"{name}_low", high or f"{name}_high")
    value, *limits = (_number(row[column]) for column in columns)
    return None if value is None else {"value": value, "low": limits[0], "high": limits[1]}


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
