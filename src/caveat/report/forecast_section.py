"""The report's section on forecasts: what was foretold of each arm, and how well."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.report.data import ReportData
from caveat.report.forecast_summary import forecast_summaries, score_summaries
from caveat.report.titled import Titled, titled


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
