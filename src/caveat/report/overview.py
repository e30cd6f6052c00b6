"""What the first screen of the report says: the headline, the remedy, the doubts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from caveat.report.data import ReportData
from caveat.report.formatting import decimal, number, text
from caveat.report.panels import Panel
from caveat.report.remedies import Box, strongest_remedy
from caveat.report.setting_labels import panel_labels
from caveat.report.setting_rows import SettingRow, setting_rows

UNDERSTOOD = 0.5
"""Share of answers above which the base model counts as following the caveat."""


@dataclass(frozen=True)
class Overview:
    """The first screen."""

    headline: str
    facts: str
    rows: tuple[SettingRow, ...]
    further: int
    """Panels that are not in the main plot: other readouts and scopes."""
    omitted: str
    """What labels of the settings leave out, in a sentence; "" where that is nothing."""
    remedy: Box
    price: Box | None
    """None where no intervention lowers anything."""
    unknown: Box


def overview(data: ReportData, panels: Sequence[Panel]) -> Overview:
    """What the first screen says, from the frames alone; `panels` are those of the data."""
    rows = setting_rows(data, panels)
    remedy, price = strongest_remedy(data)
    return Overview(
        headline=_headline(rows),
        facts=_facts(data, rows),
        rows=rows,
        further=len(panels) - len(rows),
        omitted=panel_labels(data, [row.panel for row in rows])[1],
        remedy=remedy,
        price=price,
        unknown=_unknown(data, rows),
    )


def _headline(rows: Sequence[SettingRow]) -> str:
    if not rows:
        return "Nothing was measured."
    leaking = [row for row in rows if row.verdict in ("leaks", "all")]
    parts = []
    if leaking:
        values = sorted(row.marked.leakage.value for row in leaking)
        low, high = decimal(values[0]), decimal(values[-1])
        span = f"by {low}" if low == high else f"by {low} to {high}"
        where = "The caveat leaks" if len(rows) == 1 else (
            f"The caveat leaks in {len(leaking)} of {len(rows)} settings"
        )  # fmt: skip
        parts.append(f"{where}, {span}")
    if none := sum(row.verdict == "none" for row in rows):
        parts.append("no leakage was detected" + ("" if len(rows) == 1 else f" in {none}"))
    if lacking := sum(row.marked is None for row in rows):
        parts.append("leakage is undefined" + ("" if len(rows) == 1 else f" in {lacking}"))
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _facts(data: ReportData, rows: Sequence[SettingRow]) -> str:
    """Sizes in one line."""
    frame = data.frame("leakage")
    trained = frame[frame["arm"] != "base"]
    models = list(dict.fromkeys(map(text, frame["model"].dropna())))
    counts = [
        (len(data.settings), "setting"),
        (trained["arm"].nunique(), "arm"),
        (max((int(number(value) or 0) for value in trained["seeds"]), default=0), "seed"),
        (len(data.replies), "answer"),
    ]
    parts = [f"{count:,} {name}{'' if count == 1 else 's'}" for count, name in counts if count]
    named = ", ".join(models) if len(models) <= 3 else f"{len(models)} models"
    return " · ".join([*([named] if named else []), *parts])


def _unknown(data: ReportData, rows: Sequence[SettingRow]) -> Box:
    """What a reader must not take for known."""
    lines = [*_undefined(rows), *_intervals(rows), *_incapacity(data, rows)]
    tried = sum(len(row.tried) for row in rows)
    if alike := sum(row.alike for row in rows):
        lines.append(f"{alike} of {tried} arms with an intervention are not distinguishable from "
                     "marked. That is no proof that they do nothing.")  # fmt: skip
    if failures := len(data.frame("failures")):
        lines.append(f"{failures} {'cell' if failures == 1 else 'cells'} failed and "
                     f"{'is' if failures == 1 else 'are'} missing here.")  # fmt: skip
    lead = "" if lines else "No check raises a doubt. Other models and doses were not tested."
    return Box("What is not known", lead, tuple(lines))


def _undefined(rows: Sequence[SettingRow]) -> list[str]:
    reasons = Counter(row.reason for row in rows if row.marked is None)
    return [
        f"Leakage is undefined{_in_settings(count, len(rows))}: {reason}."
        for reason, count in reasons.items()
    ]


def _intervals(rows: Sequence[SettingRow]) -> list[str]:
    within = sum(row.panel.interval == "within seed" for row in rows)
    if not within:
        return []
    where = "" if within == len(rows) else f" in {within} of {len(rows)} settings"
    return [f"Intervals are within seed{where}: other training runs may differ by more."]


def _incapacity(data: ReportData, rows: Sequence[SettingRow]) -> list[str]:
    checks = data.frame("caveat_checks")
    checks = checks[(checks["check"] == "comprehension") & (checks["arm"] == "base")]
    doubtful = 0
    for row in rows:
        if row.marked is None or row.verdict == "none":
            continue
        measured = row.panel.of(checks)
        if len(measured) and number(measured.iloc[0]["value"]) is not None:
            doubtful += not (number(measured.iloc[0]["low"]) or 0.0) > UNDERSTOOD
    if not doubtful:
        return []
    return [f"The base model is not seen to follow the caveat{_in_settings(doubtful, len(rows))}: "
            "leakage there may be incapacity, not neglect."]  # fmt: skip


def _in_settings(count: int, of: int) -> str:
    """` in 2 of 9 settings`; "" of a single setting."""
    return "" if of == 1 else f" in {count} of {of} settings"
