"""The report's section on forecasts: what was foretold of each arm, and how well."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.report.data import ReportData
from caveat.report.forecast_summary import forecast_summaries, score_summaries
from caveat.report.summary import Summary
from caveat.report.tables import Entry, Table


@dataclass(frozen=True)
class Titled:
    """A table with its title and what to know of it, line by line."""

    title: str
    table: Table
    notes: tuple[str, ...]


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
        tuple(map(_titled, scores)), tuple(map(_titled, forecast_summaries(data.forecasts)))
    )


def _titled(summary: Summary) -> Titled:
    rows = tuple(tuple(Entry(text=cell) for cell in row) for row in summary.rows)
    return Titled(summary.title, Table(summary.columns, rows), tuple(summary.note.splitlines()))
