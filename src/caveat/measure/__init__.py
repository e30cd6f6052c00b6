"""Rates, leakage and their intervals: data frames in, data frames out; nothing here loads torch."""

from caveat.measure.checks import caveat_checks
from caveat.measure.differences import differences, holm
from caveat.measure.forecast_cells import forecast_cells
from caveat.measure.forecast_records import forecast_records
from caveat.measure.forecast_scores import forecast_scores
from caveat.measure.leakage import leakage, leakage_by
from caveat.measure.pooling import pooled
from caveat.measure.practice_leakage import practice_leakage
from caveat.measure.rates import rates
from caveat.measure.records import records
from caveat.measure.side_effects import side_effects
from caveat.measure.transfer import (
    correlations,
    forgetting,
    rankings,
    reliabilities,
    transfer,
    transfer_effects,
    transfer_records,
)

__all__ = [
    "caveat_checks",
    "correlations",
    "differences",
    "forecast_cells",
    "forecast_records",
    "forecast_scores",
    "forgetting",
    "holm",
    "leakage",
    "leakage_by",
    "pooled",
    "practice_leakage",
    "rankings",
    "rates",
    "records",
    "reliabilities",
    "side_effects",
    "transfer",
    "transfer_effects",
    "transfer_records",
]
