"""The ladder: settings that differ in one factor at a time, and what each does to leakage."""

from __future__ import annotations

from caveat.analysis.ladder.factors import Crossing, crossings
from caveat.analysis.ladder.ladder import Ladder, ladder

__all__ = ["Crossing", "Ladder", "crossings", "ladder"]
