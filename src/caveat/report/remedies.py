"""The strongest remedy of a study, and its price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caveat.report.data import ReportData
from caveat.report.formatting import Estimate, decimal, estimate, is_true, number, text

Row = Mapping[str, Any]
REMEDY, PRICE = "Strongest remedy", "Its price"
LOWERS = {
    "remedy": "a remedy",
    "unclear": "lowers the rate; whether by forgetting is not known",
    "forgets": "lowers the rate, but not seen to do more than make the model forget",
}
"""Verdicts of interventions that lower the rate, best first, in words."""


@dataclass(frozen=True)
class Box:
    """A few lines under a heading."""

    title: str
    lead: str
    lines: tuple[str, ...] = ()


def strongest_remedy(data: ReportData) -> tuple[Box, Box | None]:
    """The intervention that is a remedy in most settings, of several the one that lowers leakage
    most; and what it costs, None where there is nothing to weigh. Where none is a remedy, the one
    that lowers the rate, and why that is not enough."""
    rows = [
        row
        for row in data.frame("transfer").to_dict("records")
        if is_true(row["primary"]) and text(row["role"]) == "intervention"
    ]
    if not rows:
        return Box(REMEDY, "No intervention was tried."), None
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(text(row["intervention"]), []).append(row)
    for verdict, words in LOWERS.items():
        counts = {name: _count(some, verdict) for name, some in by_name.items()}
        names = [name for name, count in counts.items() if count]
        if names:
            best = min(names, key=lambda name: (-counts[name], _mean(by_name[name]), name))
            others = sum(count > 0 for count in counts.values()) - 1
            return (
                _remedy(best, by_name[best], verdict, words, others),
                _price(data, best, by_name[best]),
            )
    count = len(by_name)
    tried = "The one intervention tried" if count == 1 else f"None of {count} interventions"
    verb = "does not lower" if count == 1 else "lowers"
    return (
        Box(REMEDY, f"{tried} {verb} the rate, once corrected."),
        None,
    )


def _count(rows: Sequence[Row], verdict: str) -> int:
    return sum(text(row["verdict"]) == verdict for row in rows)


def _changes(rows: Sequence[Row]) -> list[float]:
    values = [number(row["leakage_change"]) for row in rows]
    return [value for value in values if value is not None]


def _mean(rows: Sequence[Row]) -> float:
    changes = _changes(rows)
    return sum(changes) / len(changes) if changes else 0.0


def _remedy(name: str, rows: Sequence[Row], verdict: str, words: str, others: int) -> Box:
    count = _count(rows, verdict)
    where = "" if len(rows) == 1 else f" in {count} of the {len(rows)} settings where it was tried"
    lead = f"{name}: {words}{where}."
    lines = [] if verdict == "remedy" else ["No intervention is seen to be a remedy."]
    changes = _changes(rows)
    if len(changes) == 1:
        row = next(row for row in rows if number(row["leakage_change"]) is not None)
        lines.append(f"Leakage changes by {estimate(row, 'leakage_change')}.")
    elif changes:
        low, high = decimal(min(changes)), decimal(max(changes))
        lines.append(
            f"Leakage changes by {decimal(_mean(rows))} in the mean of settings ({low} to {high})."
        )
    if others:
        is_are = "is" if others == 1 else "are"
        lines.append(f"{others} other{'' if others == 1 else 's'} {is_are} judged alike.")
    return Box(REMEDY, lead, tuple(lines))


def _price(data: ReportData, name: str, rows: Sequence[Row]) -> Box:
    lines = [*_at_the_caveat(rows), *_undoing(rows), *_side_effects(data, name)]
    lacking = [] if any(number(row["at_caveat_change"]) is not None for row in rows) else [
        "Answers at the caveat were not compared."
    ]  # fmt: skip
    effects = _effects(data, name)
    lacking += [] if effects else ["Side effects were not compared."]
    if lines:
        return Box(PRICE, f"{name} costs something.", tuple([*lines, *lacking]))
    if len(lacking) == 2:
        return Box(PRICE, "It was not measured.", tuple(lacking))
    where = "at the caveat" if not effects else (
        "in side effects" if len(lacking) else "at the caveat and in side effects"
    )  # fmt: skip
    return Box(PRICE, f"None was seen {where}.", tuple(lacking))


def _at_the_caveat(rows: Sequence[Row]) -> list[str]:
    losing = [row for row in rows if is_true(row["loses"])]
    if not losing:
        return []
    worst = min(losing, key=lambda row: number(row["at_caveat_change"]) or 0.0)
    change = estimate(worst, "at_caveat_change")
    where = "" if len(rows) == 1 else f" in {len(losing)} of {len(rows)} settings, at worst"
    return [f"At the caveat, the expected verdict changes{where} by {change}."]


def _undoing(rows: Sequence[Row]) -> list[str]:
    count = sum(is_true(row["undoes"]) for row in rows)
    if not count:
        return []
    where = "" if len(rows) == 1 else f" in {count} of {len(rows)} settings"
    return [f"It takes the training itself away{where}: a model without the caveat forgets, too."]


def _effects(data: ReportData, name: str) -> list[Row]:
    frame = data.frame("transfer_effects")
    rows = frame[frame["intervention"].map(text) == name].to_dict("records")
    return [row for row in rows if number(row["change"]) is not None]


def _side_effects(data: ReportData, name: str) -> list[str]:
    """The side effects that are distinguishable from marked's, each at its largest change."""
    by_effect: dict[str, list[Row]] = {}
    for row in _effects(data, name):
        if is_true(row["distinguishable"]):
            by_effect.setdefault(text(row["effect"]), []).append(row)
    lines = []
    for effect, rows in by_effect.items():
        largest = max(rows, key=lambda row: abs(number(row["change"]) or 0.0))
        change = Estimate.of(largest["change"], largest["change_low"], largest["change_high"])
        unit = "" if text(largest["unit"]) == "share" else f" {text(largest['unit'])}"
        where = "" if len(rows) == 1 else f"; the largest of {len(rows)} settings"
        lines.append(f"{effect}: {change}{unit} from marked ({text(largest['setting'])}{where}).")
    return lines
