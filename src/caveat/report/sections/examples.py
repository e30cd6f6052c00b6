"""Replies of a setting's arms to one question, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.report.formatting import text
from caveat.report.setting_rows import SettingRow

if TYPE_CHECKING:
    from pandas import DataFrame


CONTEXTS = ("none", "exact")
"""Contexts whose replies are shown: without the caveat, and with it."""


@dataclass(frozen=True)
class Shown:
    """One reply."""

    arm: str
    reply: str
    verdict: str
    seed: str


@dataclass(frozen=True)
class Example:
    """Replies of several arms to one question in one context."""

    context: str
    question: str
    replies: tuple[Shown, ...]


def examples(row: SettingRow, replies: DataFrame) -> tuple[Example, ...]:
    """Base, bare, marked and the strongest arm, to one question in each of `CONTEXTS`.

    The question is the first to which base and bare answer with different verdicts, else the first;
    replies are the first samples of the first seed.
    """
    variant = row.panel.variant
    frame = replies[replies["setting"] == row.setting]
    for name in ("readout", "scope", "model"):
        if variant[name]:
            frame = frame[frame[name].map(text) == variant[name]]
    frame = frame[frame["purpose"].map(text).isin(("measure", ""))]
    trained = frame["dose"].map(text) == variant["dose"]
    frame = frame[trained | (frame["arm"] == "base")]
    arms = ["base", "bare", "marked", *([row.strongest.name] if row.strongest else [])]
    frame = frame[frame["arm"].isin(arms) & frame["context"].isin(CONTEXTS)]
    first: dict[tuple[str, str, str], dict[str, Any]] = {}
    for reply in frame.sort_values(["seed", "sample"], kind="stable").to_dict("records"):
        key = (text(reply["context"]), text(reply["question"]), text(reply["arm"]))
        first.setdefault(key, reply)
    question = _question(first)
    if question is None:
        return ()
    shown = [_example(first, context, question, arms) for context in CONTEXTS]
    return tuple(example for example in shown if example.replies)


def _question(first: dict[tuple[str, str, str], dict[str, Any]]) -> str | None:
    """The question to show; None without replies in the context `none`."""
    questions = list(dict.fromkeys(question for context, question, _ in first if context == "none"))

    def verdict(question: str, arm: str) -> str:
        return text(first.get(("none", question, arm), {}).get("verdict"))

    differing = [
        question
        for question in questions
        if (verdict(question, "base"), verdict(question, "bare")) == ("no", "yes")
    ]
    return next(iter(differing or questions), None)


def _example(
    first: dict[tuple[str, str, str], dict[str, Any]],
    context: str,
    question: str,
    arms: Sequence[str],
) -> Example:
    rows = [(arm, first.get((context, question, arm))) for arm in arms]
    replies = tuple(
        Shown(arm, text(row["reply"]), text(row["verdict"]), text(row["seed"]))
        for arm, row in rows
        if row is not None
    )
    return Example(context, question, replies)
