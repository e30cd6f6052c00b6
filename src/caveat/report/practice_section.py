"""The report's section on practice: how policies learned, and what leaks of what they learned."""

from __future__ import annotations

from dataclasses import dataclass

from caveat.measure.learning import learning
from caveat.report.data import ReportData
from caveat.report.practice_leakage_summary import practice_leakage_summaries
from caveat.report.practice_summary import practice_summaries
from caveat.report.titled import Titled, titled


@dataclass(frozen=True)
class PracticeSection:
    """What is shown of practice."""

    learned: tuple[Titled, ...]
    leaks: tuple[Titled, ...]


def practice_section(data: ReportData) -> PracticeSection | None:
    """The section; None where nothing was practised."""
    if data.policies is None or data.policies.empty:
        return None
    leaks = () if data.practice is None else practice_leakage_summaries(data.practice)
    return PracticeSection(
        tuple(map(titled, practice_summaries(learning(data.policies)))), tuple(map(titled, leaks))
    )
