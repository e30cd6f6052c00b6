"""A ladder as plain records, as `caveat ladder --json` prints them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from caveat.analysis.ladder.changes import FIGURES as CHANGES
from caveat.analysis.ladder.changes import SIDES
from caveat.analysis.ladder.elicitation import FIGURES as RELATIONS
from caveat.analysis.ladder.ladder import Ladder
from caveat.analysis.ladder.rungs import FIGURES

RUNG = (
    "setting", "phenomenon", "behaviour", "caveat", "model", "scope", "readout", "wanted",
    "k_note", "interval",
)  # fmt: skip
Row = Mapping[str, Any]


def ladder_records(ladder: Ladder) -> dict[str, list[dict]]:
    """The frames as lists of plain dictionaries that `json.dumps` takes; no NaN is left.

    What has an interval is {"value", "low", "high"}, or None. `docs/ladder.md` says what is what.
    """
    made = {
        "rungs": (_rung, ladder.rungs),
        "steps": (_step, ladder.steps),
        "effects": (_effect, ladder.effects),
        "interactions": (_interaction, ladder.interactions),
        "dial": (_dial, ladder.dial),
    }
    return {
        name: [make(row) for row in frame.to_dict("records")]
        for name, (make, frame) in made.items()
    }


def _rung(row: Row) -> dict:
    return {
        "rung": int(row["rung"]),
        **{name: str(row[name]) for name in RUNG},
        "dose": json.loads(row["dose"]),
        "factors": json.loads(row["factors"]),
        **{name: _interval(row, name) for name in FIGURES},
        "undefined": row["undefined"],
    }


def _step(row: Row) -> dict:
    return {
        **{name: str(row[name]) for name in ("factor", "start", "end")},
        "others": json.loads(row["others"]),
        **{
            side: {"rung": int(row[side]), "setting": str(row[f"{side}_setting"])} for side in SIDES
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
        "rungs": [int(number) for number in row["rungs"].split(", ")],
        **_changes(row),
    }


def _changes(row: Row) -> dict:
    told: dict[str, Any] = {}
    for name in CHANGES:
        told[name] = _interval(row, name)
        told |= {f"{name}{end}": _plain(row[f"{name}{end}"]) for end in ("_p", "_p_holm")}
    return {**told, "undefined": row["undefined"], "interval": str(row["interval"])}


def _dial(row: Row) -> dict:
    told: dict[str, Any] = {}
    for name in RELATIONS:
        told[name] = _interval(row, name)
        told[f"{name}_over_rungs"] = _interval(row, name, "_low_rungs", "_high_rungs")
    k = {name.removeprefix("k_"): _plain(row[name]) for name in ("k_mean", "k_least", "k_most")}
    return {
        **{name: str(row[name]) for name in ("family", "name")},
        "rungs": int(row["rungs"]),
        **told,
        "p": _plain(row["p"]),
        "k": {"rungs": int(row["k_rungs"]), **k, "q": _plain(row["q"]), "p": _plain(row["q_p"])},
        "undefined": row["undefined"],
        "interval": None if pd.isna(row["interval"]) else str(row["interval"]),
    }


def _interval(
    row: Row, name: str, low: str = "_low", high: str = "_high"
) -> dict[str, float | None] | None:
    values = [_plain(row[f"{name}{end}"]) for end in ("", low, high)]
    return None if values[0] is None else dict(zip(("value", "low", "high"), values, strict=True))


def _plain(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
