"""Learning of policies, and the RL section.

How policies learned, as tables for the terminal and for markdown.

The report's section on practice: how policies learned, and what leaks of what they learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from caveat.analysis.rl import learning
from caveat.report.data import ReportData
from caveat.report.formatting import ABSENT, decimal, number, text
from caveat.report.tables.rl_leakage import rl_leakage_summaries, told_apart
from caveat.report.tables.setting import Titled, titled
from caveat.report.tables.summary import Summary

if TYPE_CHECKING:
    from pandas import DataFrame


COLUMNS = (
    "arm", "seeds", "updates", "hack rate", "reward", "true score", "even prompts",
    "half hack from update",
)  # fmt: skip
ABOUT = (
    "Means over seeds, at the first update and at the last; replies are the policy's own, to its "
    "training prompts with their caveat. Even prompts: all replies were paid the same."
)


def rl_summaries(learning: DataFrame) -> list[Summary]:
    """One table a setting, model and dose, one row an arm."""
    rows = learning.to_dict("records")
    groups = [list(group) for _, group in groupby(rows, key=_key)]
    firsts = [group[0] for group in groups]
    return [
        Summary(_title(group[0], firsts), COLUMNS, tuple(map(_row, group)), ABOUT)
        for group in groups
    ]


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return row["setting"], row["model"], row["dose"]


def _title(row: dict[str, Any], others: list[dict[str, Any]]) -> str:
    """The setting and model, with what tells its dose from others of its name."""
    alike = [each["dose"] for each in others if each["setting"] == row["setting"]]
    told = told_apart(row["dose"], alike)
    said = ", ".join([row["model"], f"{row['updates']} updates", *told])
    return f"{row['setting']} ({said})"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    half = number(row["half"])
    reached = ABSENT if half is None else f"{half:.1f}"
    if half is not None and row["halved"] < row["seeds"]:
        reached += f" ({row['halved']} of {row['seeds']} seeds)"
    ends = (
        f"{decimal(row[f'{name}_first'])} → {decimal(row[f'{name}_last'])}"
        for name in ("hacked", "reward", "true_score", "frac_reward_zero_std")
    )
    return (text(row["arm"]), text(row["seeds"]), text(row["updates"]), *ends, reached)


@dataclass(frozen=True)
class RLSection:
    """What is shown of practice."""

    learned: tuple[Titled, ...]
    leaks: tuple[Titled, ...]


def rl_section(data: ReportData) -> RLSection | None:
    """The section; None where nothing was practised."""
    if data.policies is None or data.policies.empty:
        return None
    leaks = () if data.rl is None else rl_leakage_summaries(data.rl)
    return RLSection(
        tuple(map(titled, rl_summaries(learning(data.policies)))), tuple(map(titled, leaks))
    )
