"""Forecasts and their scores as tables, and the report's section on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from caveat.analysis.forecast import METRICS
from caveat.report.data import ReportData
from caveat.report.formatting import count, decimal, estimate, text
from caveat.report.sections.table import Table
from caveat.report.tables.summary import Summary

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.forecast.registration import Registration

Record = Mapping[str, Any]
NAMES = {
    "elicitation": "elicitation",
    "loss_bare": "loss bare",
    "loss_marked": "loss marked",
    "loss_gap": "loss gap",
    "loss_ratio": "loss ratio",
    "first_order": "first order",
    "short_horizon": "short horizon",
    "similarity": "similarity",
    "nats_bare": "nats bare",
    "nats_marked": "nats marked",
    "graded_elicitation": "nats",
    "continuation_gain": "continuation gain",
    "onset_gain": "onset gain",
    "expected_leakage": "expected leakage",
    "combined": "combined",
}
"""What each predictor is called in a table."""
IN_JSON_ALONE = ("loss_bare", "loss_marked", "nats_bare", "nats_marked", "continuation_gain")
"""Tables have their differences, and the onset's gain, of which the last is a part."""
SCORES = (
    "cells", "settings", "behaviours", "rank correlation", "R2 on held-out settings", "as yes/no",
    "better by", "R2 on held-out behaviours", "as yes/no", "better by", "R2 on held-out models",
    "as yes/no", "better by", "R2 as leakage",
)  # fmt: skip
ABOUT_SCORES = (
    "Intervals: other settings, behaviours or models. R2 on held-out settings (behaviours, models) "
    "is that of a line fitted on the others; as yes/no: of the predictor cut at the middle of its "
    "range; R2 as leakage takes the predictor for the leakage itself."
)


def forecast_summaries(records: Sequence[Record]) -> list[Summary]:
    """One table a setting, model and dose, one row a marked arm.

    Records with a key `leakage` show the measured one, too.
    """
    groups = [list(group) for _, group in groupby(records, key=_key)]
    return [_summary(group, groups) for group in groups]


def _key(record: Record) -> tuple[Any, ...]:
    return record["setting"], record["model"], record["dose"]


def _summary(group: list[Record], groups: list[list[Record]]) -> Summary:
    names = [name for name in NAMES if name in group[0] and name not in IN_JSON_ALONE]
    measured, predicted = "leakage" in group[0], "predicted" in group[0]
    rows = tuple(
        (
            record["arm"],
            *("undefined" if record[name] is None else decimal(record[name]) for name in names),
            *((_prediction(record),) if predicted else ()),
            *((record["left_out"] or decimal(record["leakage"]),) if measured else ()),
        )
        for record in group
    )
    columns = (
        "arm",
        *(NAMES[name] for name in names),
        *(("leakage by the law",) if predicted else ()),
        *(("leakage measured",) if measured else ()),
    )
    return Summary(_title(group[0], [first[0] for first in groups]), columns, rows, _note(group))


def _title(record: Record, others: Sequence[Record]) -> str:
    """The setting, with what distinguishes it from others of its name."""
    same = [other for other in others if other["setting"] == record["setting"]]
    labels = [record["model"]] if any(other["model"] != record["model"] for other in same) else []
    labels += [
        f"{key}={value}"
        for key, value in record["dose"].items()
        if any(other["dose"].get(key) != value for other in same)
    ]
    return f"{record['setting']} ({', '.join(labels)})" if labels else record["setting"]


def _note(group: list[Record]) -> str:
    """Why values are undefined, arms with one reason together; the recipe's notes; the time."""
    predictors: dict[tuple[str, str], list[str]] = {}
    for record in group:
        for name, reason in record["undefined"].items():
            predictors.setdefault((reason, record["arm"]), []).append(NAMES[name])
    arms: dict[tuple[str, str], list[str]] = {}
    for (reason, arm), names in predictors.items():
        arms.setdefault((reason, ", ".join(names)), []).append(arm)
    lines = [f"{', '.join(of)}: {names}: {reason}." for (reason, names), of in arms.items()]
    lines += [f"{note[:1].upper()}{note[1:]}." for note in group[0]["notes"]]
    return "\n".join([*lines, f"{group[0]['seconds']:.0f} s."])


def _prediction(record: Record) -> str:
    if record["predicted"] is None:
        return "undefined"
    if record["low"] is None:
        return f"{decimal(record['predicted'])} (too few cells for an interval)"
    return f"{decimal(record['predicted'])} [{decimal(record['low'])}, {decimal(record['high'])}]"


def registered_summaries(
    registration: Registration, cells: DataFrame, scores: Mapping[str, float]
) -> list[Summary]:
    """Registered predictions beside what was measured, and how well they met it.

    Args:
        cells: Of `forecast.registration.measured`.
        scores: Of `analysis.law.prediction_scores`.
    """
    rows = tuple(
        (
            f"{record['setting']}" + ("" if record["arm"] == "marked" else f", {record['arm']}"),
            _prediction(record),
            record["left_out"] or decimal(record["leakage"]),
        )
        for record in cells.to_dict("records")
    )
    predictors = ", ".join(NAMES[name] for name in registration.predictors)
    note = (
        f"Registered {registration.registered} for version {registration.version}, by a law "
        f"through {predictors}.\n{scores['cells']:.0f} cells: R2 {decimal(scores['r2'])}, of the "
        f"law as a yes or a no {decimal(scores['r2_coarse'])}; rank correlation "
        f"{decimal(scores['rank'])}; mean absolute error {decimal(scores['error'])}; "
        f"{decimal(scores['covered'])} of the cells inside their interval (nominal 0.90)."
    )
    columns = ("setting", "leakage predicted", "leakage measured")
    return [Summary(f"{registration.recipe}: registered predictions", columns, rows, note)]


def score_summaries(scores: DataFrame) -> list[Summary]:
    """One table a choice of arms, one row a predictor."""
    rows = scores.to_dict("records")
    return [_scores(arms, list(group)) for arms, group in groupby(rows, key=lambda r: r["arms"])]


def _scores(arms: str, rows: list[Record]) -> Summary:
    cells = tuple(
        (
            NAMES[row["predictor"]],
            *(count(row[name]) for name in ("cells", "settings", "behaviours")),
            *(str(estimate(row, name)) for name in METRICS),
        )
        for row in rows
    )
    title = f"Forecast against measured leakage: {arms}"
    note = "\n".join(filter(None, (ABOUT_SCORES, _trust(rows), _left_out(rows))))
    return Summary(title, ("predictor", *SCORES), cells, note)


def _trust(rows: list[Record]) -> str:
    trusted = sorted((row for row in rows if row["trusted"]), key=lambda row: -row["r2"])
    if not trusted:
        return "No predictor can be trusted: no interval of R2 on held-out settings is above 0."
    names = ", ".join(f"{NAMES[row['predictor']]} ({estimate(row, 'r2')})" for row in trusted)
    carried = [NAMES[row["predictor"]] for row in trusted if row["r2_behaviours_low"] > 0]
    return (
        f"Predictors whose R2 on held-out settings is above 0: {names}. For behaviours that are "
        f"not among these: {', '.join(carried) or 'none is shown to hold'}."
    )


def _left_out(rows: list[Record]) -> str:
    reasons = dict.fromkeys(text(row["undefined"]) for row in rows)
    lines = [
        f"{', '.join(NAMES[row['predictor']] for row in rows if text(row['undefined']) == reason)}"
        f": {reason}."
        for reason in reasons
        if reason
    ]
    most = max(int(row["left_out"]) for row in rows)
    line = f"At most {most} forecasts are left out: they lack a measured leakage or the predictor."
    return "\n".join([*lines, *([line] if most else [])])


@dataclass(frozen=True)
class ForecastSection:
    """What is shown of forecasts."""

    scores: tuple[Table, ...]
    settings: tuple[Table, ...]


def forecast_section(data: ReportData) -> ForecastSection | None:
    """The section; None where nothing was forecast."""
    if not data.forecasts:
        return None
    scores = () if data.forecast_scores is None else score_summaries(data.forecast_scores)
    settings = forecast_summaries(data.forecasts)
    return ForecastSection(
        tuple(map(Table.of_summary, scores)), tuple(map(Table.of_summary, settings))
    )
