"""The ladder: settings that differ in one factor at a time, and what each does to leakage."""

from caveat.measure.ladder.crossing import Crossing, crossings
from caveat.measure.ladder.ladder import Ladder, ladder
from caveat.measure.ladder.records import ladder_records

__all__ = ["Crossing", "Ladder", "crossings", "ladder", "ladder_records"]
