"""Rates, leakage and their intervals: data frames in, data frames out; nothing here loads torch."""

from __future__ import annotations

from caveat.analysis.caveat_checks import caveat_checks
from caveat.analysis.differences import differences, holm
from caveat.analysis.forecast import forecast_cells, forecast_scores
from caveat.analysis.graded import graded_elicitation, graded_leakage, with_graded
from caveat.analysis.json_records import (
    forecast_records,
    ladder_records,
    leakage_records,
    mixed_records,
    transfer_records,
)
from caveat.analysis.leakage import leakage, leakage_by
from caveat.analysis.mixed_model import MixedModel, mixed_model, mixed_rows
from caveat.analysis.rates import pooled, rates
from caveat.analysis.recitation import recitation, with_recitation
from caveat.analysis.rl import learning, rl_leakage
from caveat.analysis.side_effects import side_effects, transfer_effects
from caveat.analysis.transfer import (
    correlations,
    forgetting,
    rankings,
    reliabilities,
    transfer,
)

__all__ = [
    "MixedModel",
    "caveat_checks",
    "correlations",
    "differences",
    "forecast_cells",
    "forecast_records",
    "forecast_scores",
    "forgetting",
    "graded_elicitation",
    "graded_leakage",
    "holm",
    "ladder_records",
    "leakage",
    "leakage_by",
    "leakage_records",
    "learning",
    "mixed_model",
    "mixed_records",
    "mixed_rows",
    "pooled",
    "rankings",
    "rates",
    "recitation",
    "reliabilities",
    "rl_leakage",
    "side_effects",
    "transfer",
    "transfer_effects",
    "transfer_records",
    "with_graded",
    "with_recitation",
]
