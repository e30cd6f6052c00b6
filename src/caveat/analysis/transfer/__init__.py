"""Transfer: what interventions change in each setting, and how alike settings are in that."""

from __future__ import annotations

from caveat.analysis.transfer.correlations import correlations
from caveat.analysis.transfer.forgetting import forgetting
from caveat.analysis.transfer.matrix import transfer
from caveat.analysis.transfer.ranking import rankings, reliabilities

__all__ = [
    "correlations",
    "forgetting",
    "rankings",
    "reliabilities",
    "transfer",
]
