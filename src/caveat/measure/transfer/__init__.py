"""Transfer: what interventions change in each setting, and how alike settings are in that."""

from caveat.measure.transfer.correlations import correlations
from caveat.measure.transfer.effects import transfer_effects
from caveat.measure.transfer.forgetting import forgetting
from caveat.measure.transfer.matrix import transfer
from caveat.measure.transfer.ranking import rankings
from caveat.measure.transfer.records import transfer_records
from caveat.measure.transfer.reliability import reliabilities

__all__ = [
    "correlations",
    "forgetting",
    "rankings",
    "reliabilities",
    "transfer",
    "transfer_effects",
    "transfer_records",
]
