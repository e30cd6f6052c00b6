"""Leakage of policies.

What tells a practice from others of the same setting: in tables and pictures alike.

Leakage of policies as tables: along their updates, at equal updates and at equal hack rate.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from caveat.analysis.panel import BASE
from caveat.analysis.rl import NO_ROOM, but_updates
from caveat.report.formatting import ABSENT, figure, is_true, text
from caveat.report.tables.summary import Summary

if TYPE_CHECKING:
    from pandas import DataFrame


FIELDS = ("rl.scale_rewards", "rl.loss_type", "rl.beta", "learning_rate", "rows")


def told_apart(dose: str, others: Iterable[str]) -> tuple[str, ...]:
    """Such as ("scaled=False",), where doses of the same setting differ in that.

    Args:
        dose: JSON, as in a study's tables.
        others: Doses of its setting, itself among them or not.
    """
    mine, theirs = json.loads(dose), [json.loads(other) for other in set(others)]
    return tuple(
        f"{key.removeprefix('practice.')}={mine.get(key)}"
        for key in FIELDS
        if any(other.get(key) != mine.get(key) for other in theirs)
    )


Row = dict[str, Any]
COLUMNS = (
    "updates", "arm", "rate without", "rate with", "leakage, equal updates",
    "leakage, equal hack rate",
)  # fmt: skip
ABOUT = (
    "Rates are over test questions, without the caveat and with it. At equal updates an arm is "
    "compared with bare after as many; at equal hack rate with a bare policy that hacks as much "
    "where it practises, which is without over with, both above base."
)
CEILING = "ceiling"


def rl_leakage_summaries(table: DataFrame) -> list[Summary]:
    """One table a setting, model and scope, with all numbers of updates. See
    `measure.practice_leakage`."""
    rows = sorted(table.to_dict("records"), key=lambda row: (*_key(row), row["updates"]))
    return [_summary(list(group), rows) for _, group in groupby(rows, key=_key)]


def _key(row: Row) -> tuple[str, ...]:
    return (*(text(row[name]) for name in ("setting", "model", "scope")), but_updates(row["dose"]))


def _summary(rows: list[Row], others: list[Row]) -> Summary:
    """`others`: the whole table, to tell the rows' own dose from."""
    first = rows[0]
    alike = [row["dose"] for row in others if row["setting"] == first["setting"]]
    told = told_apart(first["dose"], alike)
    asked = f"{first['scope']} prompts"
    shown = [row for place, row in enumerate(rows) if row["arm"] != BASE or place == 0]
    return Summary(
        f"{first['setting']} ({', '.join([first['model'], asked, *told])})",
        COLUMNS,
        tuple(map(_cells, shown)),
        "\n".join([ABOUT, *_notes(rows)]),
    )


def _cells(row: Row) -> tuple[str, ...]:
    is_base = row["arm"] == BASE
    return (
        "0" if is_base else text(row["updates"]),
        text(row["arm"]),
        str(figure(row, "without")),
        str(figure(row, "with")),
        ABSENT if is_base else _leakage(row),
        ABSENT if is_base else _retained(row),
    )


def _leakage(row: Row) -> str:
    if is_true(row["ceiling"]):
        return CEILING
    return "undefined" if text(row["undefined"]) else str(figure(row, "leakage"))


def _retained(row: Row) -> str:
    if is_true(row["ceiling"]):
        return CEILING
    return "undefined" if text(row["retained_undefined"]) else str(figure(row, "retained"))


def _notes(rows: list[Row]) -> list[str]:
    """Why there are no figures where there are none, each once."""
    found: dict[str, None] = {}
    for row in rows:
        after = f"After {row['updates']} updates"
        if is_true(row["ceiling"]):
            found[f"{after}, {NO_ROOM}."] = None
            continue
        if text(row["undefined"]):
            found[f"{after}, no leakage: {text(row['undefined'])}."] = None
        if text(row["retained_undefined"]):
            told = f"{text(row['arm'])}: {text(row['retained_undefined'])}."
            found[f"{after}, {told}"] = None
    return list(found)
