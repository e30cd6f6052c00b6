"""Results as points of a leakage axis: those that were published, and those of a study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveat.published.results import Result
from caveat.report.panels import Panel, panels

if TYPE_CHECKING:
    from pandas import DataFrame

ALONE, REMEDY, OTHER = "the caveat alone", "with a remedy", "with a control"
REMEDIES = ("repeated", "corrected", "local", "correction", "denial", "retraction")
"""Words of published caveats that are more than a plain caveat: what we call interventions."""


@dataclass(frozen=True)
class Point:
    """One result on the axis."""

    phenomenon: str
    lane: str
    kind: str
    """`ALONE`, `REMEDY` or `OTHER`."""
    own: bool
    """Whether it is of this project, or of the study at hand, not published by others."""
    leakage: float
    low: float | None
    high: float | None
    rough: bool
    """Whether a rate behind it was read off a figure, or is a bound."""
    said: str
    """What is told when the pointer rests on it: figures and source."""


def published_points(results: Iterable[Result]) -> list[Point]:
    """The results whose leakage is defined. A lane is a caveat with what was done on top of it."""
    return [
        Point(
            phenomenon=each.phenomenon,
            lane=_lane("own", each) if each.evidence == "own" else _lane("", each),
            kind=_kind(each),
            own=each.evidence == "own",
            leakage=each.leakage,
            low=each.interval[0] if each.interval else None,
            high=each.interval[1] if each.interval else None,
            rough=bool({"base", "bare", "marked"} & {*each.read_off, *each.upper}),
            said=_said(each, each.leakage),
        )
        for each in results
        if each.leakage is not None
    ]


def _lane(owner: str, result: Result) -> str:
    """The caveat and the intervention, each up to its first comma, which leaves variants out."""
    parts = [part.split(",")[0] for part in (result.caveat, result.intervention)]
    named = " + ".join(part for part in parts if part and part != "none")
    return f"{owner}: {named}" if owner else named


def _kind(result: Result) -> str:
    if "control" in result.intervention:
        return OTHER
    remedied = result.intervention or any(word in result.caveat for word in REMEDIES)
    return REMEDY if remedied else ALONE


def _said(result: Result, leakage: float) -> str:
    on_top = f", {result.intervention}" if result.intervention else ""
    rates = ", ".join(
        f"{name} {getattr(result, name):g}" for name in ("base", "bare", "marked")
    )
    caution = f" ({result.caution})" if result.caution else ""
    return (
        f"{result.setting}, {result.caveat}{on_top}: leakage {leakage:.2f}; "
        f"{result.metric}: {rates}{caution}; {result.model}; "
        f"{result.source}, {result.locator} ({result.evidence})"
    )


def study_points(leakage: DataFrame, name: str) -> list[Point]:
    """The marked arms of a study at `none`, where leakage is defined."""
    return [
        point
        for panel in panels(leakage)
        for arm in panel.arms
        if arm.partition("+")[0] == "marked"
        and (point := _study_point(panel, arm, name)) is not None
    ]


def _study_point(panel: Panel, arm: str, name: str) -> Point | None:
    figure, rate = panel.leakage(arm, "none"), panel.rate(arm, "none")
    if figure.value is None:
        return None
    row = panel.row(arm, "none")
    caveat = row["caveat"] or panel.setting
    steps = arm.split("+")[1:]
    kind = ALONE if not steps else OTHER if steps == ["filler"] else REMEDY
    return Point(
        phenomenon=row["phenomenon"] or "phenomenon not given",
        lane=f"this study: {' + '.join([caveat, *steps])}",
        kind=kind,
        own=True,
        leakage=figure.value,
        low=figure.low,
        high=figure.high,
        rough=False,
        said=f"{panel.title}, {arm}: leakage {figure}, rate {rate} at none; {row['model']}; "
        f"study {name}",
    )
