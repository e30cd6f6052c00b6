"""Forecasts and scores.

Forecasts, and how good they were, as tables for the terminal and for markdown.

The report's section on forecasts: what was foretold of each arm, and how well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from caveat.analysis.forecast import METRICS
from caveat.report.data import ReportData
from caveat.report.formatting import count, decimal, figure, text
from caveat.report.tables.setting import Titled, titled
from caveat.report.tables.summary import Summary

if TYPE_CHECKING:
    from pandas import DataFrame


Record = Mapping[str, Any]
SAID = {
    "elicitation": "elicitation",
    "loss_bare": "loss bare",
    "loss_marked": "loss marked",
    "loss_gap": "loss gap",
    "loss_ratio": "loss ratio",
    "first_order": "first order",
    "short_horizon": "short horizon",
    "similarity": "similarity",
    "combined": "combined",
}
"""What each figure is called in a table."""
SCORES = (
    "cells", "settings", "behaviours", "rank correlation", "R2 on held-out settings",
    "R2 on held-out behaviours", "R2 as leakage",
)  # fmt: skip
ABOUT_SCORES = (
    "Intervals: other settings, or behaviours. R2 on held-out settings (behaviours) is of a line "
    "fitted on the others; R2 as leakage takes the figure for the leakage itself."
)


def forecast_summaries(records: Sequence[Record]) -> list[Summary]:
    """One table a setting, model and dose, one row a marked arm.

    Records with a key `leakage` show what was measured, too.
    """
    groups = [list(group) for _, group in groupby(records, key=_key)]
    return [_summary(group, groups) for group in groups]


def _key(record: Record) -> tuple[Any, ...]:
    return record["setting"], record["model"], record["dose"]


def _summary(group: list[Record], groups: list[list[Record]]) -> Summary:
    names = [name for name in SAID if name in group[0]]
    measured = "leakage" in group[0]
    rows = tuple(
        (
            record["arm"],
            *("undefined" if record[name] is None else decimal(record[name]) for name in names),
            *((record["left_out"] or decimal(record["leakage"]),) if measured else ()),
        )
        for record in group
    )
    columns = ("arm", *(SAID[name] for name in names), *(("leakage measured",) if measured else ()))
    return Summary(_title(group[0], [each[0] for each in groups]), columns, rows, _note(group))


def _title(record: Record, others: Sequence[Record]) -> str:
    """The setting, with what tells it from others of its name."""
    alike = [each for each in others if each["setting"] == record["setting"]]
    told = [record["model"]] if any(each["model"] != record["model"] for each in alike) else []
    told += [
        f"{key}={value}"
        for key, value in record["dose"].items()
        if any(each["dose"].get(key) != value for each in alike)
    ]
    return f"{record['setting']} ({', '.join(told)})" if told else record["setting"]


def _note(group: list[Record]) -> str:
    """Why figures are undefined, arms with one reason together; what to know; the time."""
    arms: dict[tuple[str, str], list[str]] = {}
    for record in group:
        for name, why in record["undefined"].items():
            arms.setdefault((why, record["arm"]), []).append(SAID[name])
    told: dict[tuple[str, str], list[str]] = {}
    for (why, arm), names in arms.items():
        told.setdefault((why, ", ".join(names)), []).append(arm)
    lines = [f"{', '.join(of)}: {names}: {why}." for (why, names), of in told.items()]
    lines += [f"{note[:1].upper()}{note[1:]}." for note in group[0]["notes"]]
    return "\n".join([*lines, f"{group[0]['seconds']:.0f} s."])


def score_summaries(scores: DataFrame) -> list[Summary]:
    """One table a choice of arms, one row a predictor."""
    rows = scores.to_dict("records")
    return [_scores(arms, list(group)) for arms, group in groupby(rows, key=lambda r: r["arms"])]


def _scores(arms: str, rows: list[Record]) -> Summary:
    cells = tuple(
        (
            SAID[row["predictor"]],
            *(count(row[name]) for name in ("cells", "settings", "behaviours")),
            *(str(figure(row, name)) for name in METRICS),
        )
        for row in rows
    )
    title = f"Forecast against measured leakage: {arms}"
    note = "\n".join(filter(None, (ABOUT_SCORES, _trust(rows), _left_out(rows))))
    return Summary(title, ("predictor", *SCORES), cells, note)


def _trust(rows: list[Record]) -> str:
    trusted = sorted((row for row in rows if row["trusted"]), key=lambda row: -row["r2"])
    if not trusted:
        return "None to trust: no interval of R2 on held-out settings lies above 0."
    told = ", ".join(f"{SAID[row['predictor']]} ({figure(row, 'r2')})" for row in trusted)
    carried = [SAID[row["predictor"]] for row in trusted if row["r2_behaviours_low"] > 0]
    beyond = (
        f"For behaviours that are not among these: {', '.join(carried) or 'none is shown to hold'}."
    )
    return f"To trust, as their R2 on held-out settings lies above 0: {told}. {beyond}"


def _left_out(rows: list[Record]) -> str:
    reasons = dict.fromkeys(text(row["undefined"]) for row in rows)
    without = [
        f"{', '.join(SAID[row['predictor']] for row in rows if text(row['undefined']) == why)}: "
        f"{why}."
        for why in reasons
        if why
    ]
    left = max(int(row["left_out"]) for row in rows)
    most = f"At most {left} forecasts are left out: without a measured leakage, or the figure."
    return "\n".join([*without, *([most] if left else [])])


@dataclass(frozen=True)
class ForecastSection:
    """What is shown of forecasts."""

    scores: tuple[Titled, ...]
    settings: tuple[Titled, ...]


def forecast_section(data: ReportData) -> ForecastSection | None:
    """The section; None where nothing was forecast."""
    if not data.forecasts:
        return None
    scores = () if data.forecast_scores is None else score_summaries(data.forecast_scores)
    return ForecastSection(
        tuple(map(titled, scores)), tuple(map(titled, forecast_summaries(data.forecasts)))
    )
