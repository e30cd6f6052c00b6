"""RL training as tables: how policies learned, and what leaks of what they learned."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from caveat.analysis.panel import BASE
from caveat.analysis.rl import AT_CEILING, dose_without_updates, learning
from caveat.report.data import ReportData
from caveat.report.formatting import ABSENT, decimal, estimate, is_true, number, text
from caveat.report.sections.table import Table
from caveat.report.tables.summary import Summary
from caveat.types.fields import late_defaults
from caveat.types.training import GRPOConfig

if TYPE_CHECKING:
    from pandas import DataFrame


Row = dict[str, Any]
DOSE_FIELDS = (
    "rl.reward", "rl.optim", "rl.momentum", "rl.skip_zero_variance", "rl.scale_rewards",
    "rl.loss_type", "rl.beta", "learning_rate", "rows",
)  # fmt: skip
"""Fields of a dose by which RL trainings of one setting are distinguished."""
LEARNING = (
    "arm", "seeds", "updates", "hack rate", "reward", "true score", "zero-advantage prompts",
    "half hack from update",
)  # fmt: skip
ABOUT_LEARNING = (
    "Means over seeds, at the first update and at the last, of the policy's own completions of its "
    "training prompts with their caveat. Zero-advantage prompts: all completions received the same "
    "reward, so they contribute no gradient."
)
LEAKAGE = (
    "updates", "arm", "rate without", "rate with", "leakage, equal updates",
    "leakage, equal hack rate",
)  # fmt: skip
ABOUT_LEAKAGE = (
    "Rates are over test questions, without the caveat and with it. At equal updates an arm is "
    "compared with bare, or with bare after the same seeded start. At equal hack rate with a bare "
    "policy that hacks as much in training: the rate without over the rate with, both above base."
)
CEILING = "ceiling"


def dose_labels(dose: str, others: Iterable[str]) -> tuple[str, ...]:
    """Such as ("beta=0.1",), for the fields in which doses of the same setting differ.

    Args:
        dose: JSON, as in a study's tables.
        others: Doses of its setting, itself among them or not.
    """
    # a dose lacks later fields that have their default
    late = {f"rl.{name}": value for name, value in late_defaults(GRPOConfig).items()}
    fields = late | json.loads(dose)
    other_fields = [late | json.loads(other) for other in set(others)]
    return tuple(
        f"{key.removeprefix('rl.')}={fields.get(key)}"
        for key in DOSE_FIELDS
        if any(other.get(key) != fields.get(key) for other in other_fields)
    )


def rl_summaries(learning: DataFrame) -> list[Summary]:
    """How policies learned: one table a setting, model and dose, one row an arm."""
    rows = learning.to_dict("records")
    groups = [list(group) for _, group in groupby(rows, key=_learning_key)]
    firsts = [group[0] for group in groups]
    return [
        Summary(
            _title(group[0], firsts), LEARNING, tuple(map(_learning_row, group)), ABOUT_LEARNING
        )
        for group in groups
    ]


def _learning_key(row: Row) -> tuple[str, ...]:
    return row["setting"], row["model"], row["dose"]


def _title(row: Row, others: list[Row]) -> str:
    """The setting and model, with what distinguishes its dose from others of its name."""
    doses = [other["dose"] for other in others if other["setting"] == row["setting"]]
    labels = [row["model"], f"{row['updates']} updates", *dose_labels(row["dose"], doses)]
    return f"{row['setting']} ({', '.join(labels)})"


def _learning_row(row: Row) -> tuple[str, ...]:
    half = number(row["half"])
    reached = ABSENT if half is None else f"{half:.1f}"
    if half is not None and row["halved"] < row["seeds"]:
        reached += f" ({row['halved']} of {row['seeds']} seeds)"
    changes = (
        f"{decimal(row[f'{name}_first'])} → {decimal(row[f'{name}_last'])}"
        for name in ("hack_rate", "reward", "true_score", "frac_reward_zero_std")
    )
    return (text(row["arm"]), text(row["seeds"]), text(row["updates"]), *changes, reached)


def rl_leakage_summaries(table: DataFrame) -> list[Summary]:
    """One table a setting, model and scope, with all numbers of updates.

    Args:
        table: See `caveat.analysis.rl_leakage`.
    """
    rows = sorted(table.to_dict("records"), key=lambda row: (*_leakage_key(row), row["updates"]))
    return [_leakage_summary(list(group), rows) for _, group in groupby(rows, key=_leakage_key)]


def _leakage_key(row: Row) -> tuple[str, ...]:
    names = ("setting", "model", "scope")
    return (*(text(row[name]) for name in names), dose_without_updates(row["dose"]))


def _leakage_summary(rows: list[Row], all_rows: list[Row]) -> Summary:
    first = rows[0]
    doses = [row["dose"] for row in all_rows if row["setting"] == first["setting"]]
    labels = [first["model"], f"{first['scope']} prompts", *dose_labels(first["dose"], doses)]
    shown = [row for index, row in enumerate(rows) if row["arm"] != BASE or index == 0]
    return Summary(
        f"{first['setting']} ({', '.join(labels)})",
        LEAKAGE,
        tuple(map(_leakage_row, shown)),
        "\n".join([ABOUT_LEAKAGE, *_reasons(rows)]),
    )


def _leakage_row(row: Row) -> tuple[str, ...]:
    is_base = row["arm"] == BASE
    return (
        "0" if is_base else text(row["updates"]),
        text(row["arm"]),
        str(estimate(row, "without")),
        str(estimate(row, "with")),
        ABSENT if is_base else _leakage(row, "leakage", "undefined"),
        ABSENT if is_base else _leakage(row, "retained", "retained_undefined"),
    )


def _leakage(row: Row, name: str, reason: str) -> str:
    if is_true(row["ceiling"]):
        return CEILING
    return "undefined" if text(row[reason]) else str(estimate(row, name))


def _reasons(rows: list[Row]) -> list[str]:
    """Why values are undefined, each once."""
    lines: dict[str, None] = {}
    for row in rows:
        after = f"After {row['updates']} updates"
        if is_true(row["ceiling"]):
            lines[f"{after}, {AT_CEILING}."] = None
            continue
        if text(row["undefined"]):
            lines[f"{after}, no leakage: {text(row['undefined'])}."] = None
        if text(row["retained_undefined"]):
            lines[f"{after}, {text(row['arm'])}: {text(row['retained_undefined'])}."] = None
    return list(lines)


@dataclass(frozen=True)
class RLSection:
    """What the report shows of RL training."""

    learning: tuple[Table, ...]
    leakage: tuple[Table, ...]


def rl_section(data: ReportData) -> RLSection | None:
    """The section; None where no arm was trained with RL."""
    if data.policies is None or data.policies.empty:
        return None
    leakage = () if data.rl is None else rl_leakage_summaries(data.rl)
    return RLSection(
        tuple(map(Table.of_summary, rl_summaries(learning(data.policies)))),
        tuple(map(Table.of_summary, leakage)),
    )
