"""The ladder of a study: its settings with factors, and what each factor changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from caveat.analysis.caveat_checks import caveat_checks
from caveat.analysis.differences import differences
from caveat.analysis.ladder.blocks import blocks
from caveat.analysis.ladder.changes import Changes
from caveat.analysis.ladder.elicitation import dial
from caveat.analysis.ladder.factors import Factors
from caveat.analysis.leakage import leakage
from caveat.analysis.panel import GROUP, IDENTITY, key, main_panels, panels
from caveat.analysis.rates import verdicts
from caveat.analysis.transfer.arms import UNKNOWN, Interval

Labels = Mapping[tuple[str, str, str], Factors]
"""By setting, model and dose, what a setting stands for, in the order of the recipe."""
METRICS = (
    "base", "installed", "leaks", "leakage", "elicitation", "comprehension", "shown_bare",
    "at_caveat", "k",
)  # fmt: skip
"""Each has a column of its own, and its limits in `_low` and `_high`; NaN where it has none."""
CHECKED = {"elicitation": "base", "comprehension": "base", "shown_bare": "base", "k": "marked"}
"""Figures that are checks, and of which arm."""
COLUMNS = [
    "rung", *IDENTITY, "dose", "scope", "readout", "factors",
    *(f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")),
    "undefined", "wanted", "k_note", "interval",
]  # fmt: skip


@dataclass(frozen=True)
class Ladder:
    """Frames that say which factor carries a difference between settings."""

    rungs: pd.DataFrame
    """See `rungs`."""
    steps: pd.DataFrame
    """See `Changes.steps`; so for the next two."""
    effects: pd.DataFrame
    interactions: pd.DataFrame
    dial: pd.DataFrame
    """See `elicitation.dial`."""


def ladder(
    replies: pd.DataFrame,
    labels: Labels,
    wanted: Mapping[str, str],
    draws: int = 2000,
    seed: int = 0,
) -> Ladder:
    """The ladder of the settings that `labels` has. Raises KeyError for one that `wanted` lacks."""
    chosen = replies[replies["setting"].isin({setting for setting, *_ in labels})]
    found = rungs(chosen, labels, wanted)
    drawn = blocks(verdicts(chosen), found)
    changes = Changes(found, drawn)
    return Ladder(
        found,
        changes.steps(),
        changes.effects(),
        changes.interactions(),
        dial(found, drawn, draws, seed),
    )


def rungs(replies: pd.DataFrame, labels: Labels, wanted: Mapping[str, str]) -> pd.DataFrame:
    """One row a setting, model and dose that `labels` has and that was asked, columns `COLUMNS`.

    `rung` is its number among the labels, from 1; `factors` what it stands for, as JSON. Figures
    are of the panel that stands for the setting (see `main_panels`), R being the share of yes:

    - `base`: R(base, none). `installed`: R(bare, none) - R(base, none). `leaks`: R(marked, none) -
      R(base, none). `leakage`: `leaks` over `installed`; NaN where `undefined` says why.
    - `elicitation`, `comprehension`, `shown_bare` and `k` as in `caveat_checks`, with k's note;
      `wanted` is the verdict that comprehension counts. `at_caveat`: R(marked, exact).
    """
    found = _Found(replies, wanted)
    places = {label: place for place, label in enumerate(labels, 1)}
    rows = []
    for names in found.main:
        label = (names["setting"], names["model"], names["dose"])
        if label in places:
            told = {"rung": places[label], "factors": _json(labels[label])}
            rows.append({**told, **names, **found.figures(names)})
    table = pd.DataFrame(rows, columns=COLUMNS).sort_values("rung", ignore_index=True)
    reasons = table["undefined"].astype(object)
    return table.assign(undefined=reasons.where(reasons.notna(), None))


def _json(factors: Factors) -> str:
    return json.dumps(dict(factors), ensure_ascii=False)


class _Found:
    """The tables that a rung's figures are looked up in."""

    def __init__(self, replies: pd.DataFrame, wanted: Mapping[str, str]) -> None:
        measured = verdicts(replies)
        every = list(panels(measured, measured["verdict"] == "yes"))
        main = main_panels(every)
        self.main = [{**each.names, "dose": each.dose} for each in every if key(each) in main]
        self.wanted = wanted
        self.rates = leakage(replies)
        self.differences = differences(replies)
        self.checks = caveat_checks(replies, wanted)

    def figures(self, names: Mapping[str, str]) -> dict[str, Any]:
        """The columns of one rung that are not its names."""
        marked = _one(self.rates, names, arm="marked", context="none")
        checks = {
            name: _one(self.checks, names, check=name.replace("_", " "), arm=arm)
            for name, arm in CHECKED.items()
        }
        found = {
            "base": _interval(_one(self.rates, names, arm="base", context="none"), "rate"),
            "installed": _interval(_one(self.differences, names, difference="bare - base")),
            "leaks": _interval(_one(self.differences, names, difference="marked - base")),
            "leakage": _interval(marked, "leakage"),
            "at_caveat": _interval(_one(self.rates, names, arm="marked", context="exact"), "rate"),
            **{name: _interval(row) for name, row in checks.items()},
        }
        not_asked = "marked was not asked in the context 'none'"
        return {
            **_columns(found),
            "undefined": not_asked if marked is None else marked["undefined"],
            "wanted": str(self.wanted[names["setting"]]),
            "k_note": _note(checks["k"]),
            "interval": "" if marked is None else marked["interval"],
        }


def _one(table: pd.DataFrame, names: Mapping[str, str], **where: str) -> dict[str, Any] | None:
    """The row of a panel with these values; base's rows belong to every dose."""
    fits = (table[GROUP] == [names[column] for column in GROUP]).all(axis=1)
    for column, value in where.items():
        fits &= table[column] == value
    if where.get("arm") != "base":
        fits &= table["dose"] == names["dose"]
    rows = table[fits].to_dict("records")
    return rows[0] if rows else None


def _interval(row: Mapping[str, Any] | None, name: str = "") -> Interval:
    if row is None:
        return UNKNOWN
    value = name or "value"
    ends = (f"{name}_low", f"{name}_high") if name else ("low", "high")
    return row[value], row[ends[0]], row[ends[1]]


def _columns(found: Mapping[str, Interval]) -> dict[str, float]:
    return {
        f"{name}{end}": found[name][place]
        for name in METRICS
        for place, end in enumerate(("", "_low", "_high"))
    }


def _note(row: Mapping[str, Any] | None) -> str:
    return "" if row is None else str(row["note"])
