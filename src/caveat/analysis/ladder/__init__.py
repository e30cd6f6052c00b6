"""The ladder: settings that differ in one factor at a time, and what each factor changes."""

from __future__ import annotations

from caveat.analysis.ladder.factors import FactorialGrid, factorial_grids
from caveat.analysis.ladder.ladder import Ladder, ladder

__all__ = ["FactorialGrid", "Ladder", "factorial_grids", "ladder"]
