"""One figure: every published result, and one's own, on one leakage axis, by phenomenon."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from caveat.published.results import Result
from caveat.report.figures.theme import (
    CONTROL,
    INK,
    INTERVENTION,
    LINE,
    MARKED,
    MUTED,
    as_lanes,
    base_to_bare,
    inline_data,
)
from caveat.report.panels import Panel, panels

if TYPE_CHECKING:
    import altair
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
    """Whether it is of this project, or of the study that is shown, not published by others."""
    leakage: float
    low: float | None
    high: float | None
    rough: bool
    """Whether one of its rates was read off a figure, or is a bound."""
    hover: str
    """Text that is shown when the pointer rests on it: values and source."""


def published_points(results: Iterable[Result]) -> list[Point]:
    """The results whose leakage is defined. A lane is a caveat and an intervention."""
    return [
        Point(
            phenomenon=result.phenomenon,
            lane=_lane("own", result) if result.evidence == "own" else _lane("", result),
            kind=_kind(result),
            own=result.evidence == "own",
            leakage=result.leakage,
            low=result.interval[0] if result.interval else None,
            high=result.interval[1] if result.interval else None,
            rough=bool({"base", "bare", "marked"} & {*result.read_off, *result.upper}),
            hover=_hover(result, result.leakage),
        )
        for result in results
        if result.leakage is not None
    ]


def _lane(owner: str, result: Result) -> str:
    """The caveat and the intervention, each up to its first comma, which leaves variants out.

    A fixed wording and rephrased ones are apart.
    """
    parts = [part.split(",")[0] for part in (result.caveat, result.intervention)]
    name = " + ".join(part for part in parts if part and part != "none")
    if result.wording:
        name += f", {result.wording}"
    return f"{owner}: {name}" if owner else name


def _kind(result: Result) -> str:
    if "control" in result.intervention:
        return OTHER
    has_remedy = result.intervention or any(word in result.caveat for word in REMEDIES)
    return REMEDY if has_remedy else ALONE


def _hover(result: Result, leakage: float) -> str:
    intervention = f", {result.intervention}" if result.intervention else ""
    rates = ", ".join(f"{name} {getattr(result, name):g}" for name in ("base", "bare", "marked"))
    caution = f" ({result.caution})" if result.caution else ""
    return (
        f"{result.setting}, {result.caveat}{intervention}: leakage {leakage:.2f}; "
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
    leakage, rate = panel.leakage(arm, "none"), panel.rate(arm, "none")
    if leakage.value is None:
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
        leakage=leakage.value,
        low=leakage.low,
        high=leakage.high,
        rough=False,
        hover=f"{panel.title}, {arm}: leakage {leakage}, rate {rate} at none; {row['model']}; "
        f"study {name}",
    )


COLOURS = {ALONE: MARKED, REMEDY: INTERVENTION, OTHER: CONTROL}
SHAPES = {ALONE: "circle", REMEDY: "diamond", OTHER: "square"}
DOMAIN = (-0.4, 1.5)
"""Intervals are plotted as far as this, points always."""
LANE, LABELS = 19, 250
"""Pixels: the height of a lane, and the width of its name."""


@dataclass(frozen=True)
class Frame:
    """What all panels of the figure share."""

    width: int
    domain: tuple[float, float]


def published_figure(
    results: Sequence[Result],
    points: Sequence[Point] = (),
    width: int = 560,
    background: str = "white",
) -> altair.VConcatChart:
    """A panel a phenomenon: lanes of points between 0, as base, and 1, as bare.

    `points` of a study come first. A phenomenon of which no result has a leakage says so.
    """
    import altair

    all_points = [*points, *published_points(results)]
    frame = Frame(width, _domain(all_points))
    names = dict.fromkeys(entry.phenomenon for entry in (*results, *points))
    charts = [
        _panel(name, [point for point in all_points if point.phenomenon == name], results, frame)
        for name in names
    ]
    chart = altair.vconcat(_key(frame), *charts, spacing=22)
    return as_lanes(
        chart.resolve_scale(color="independent", shape="independent"), background, padding=6
    )


def _domain(points: Sequence[Point]) -> tuple[float, float]:
    values = [point.leakage for point in points]
    low, high = min(values, default=0.0), max(values, default=1.0)
    return min(DOMAIN[0], low - 0.05), max(DOMAIN[1], high + 0.05)


def _panel(
    phenomenon: str, points: Sequence[Point], results: Sequence[Result], frame: Frame
) -> Any:
    title = _title(phenomenon, results)
    if not points:
        return _words("none of them has a leakage", frame).properties(title=title)
    return _points(points, frame).properties(title=title)


def _title(phenomenon: str, results: Sequence[Result]) -> Any:
    import altair

    published = [
        result for result in results if result.phenomenon == phenomenon and result.evidence != "own"
    ]
    defined = sum(result.leakage is not None for result in published)
    count = f"{defined} of {len(published)} published results have a leakage"
    return altair.TitleParams(
        phenomenon, subtitle=count if published else "nothing published is listed", anchor="start",
        frame="group", color=INK, subtitleColor=MUTED, fontSize=14, subtitleFontSize=12, offset=8,
        dx=-LABELS,
    )  # fmt: skip


def _key(frame: Frame) -> Any:
    """What the marks mean, above all panels."""
    import altair

    entries = [
        {"x": -120, "kind": ALONE, "text": ALONE, "rough": False},
        {"x": 25, "kind": REMEDY, "text": REMEDY, "rough": False},
        {"x": 155, "kind": OTHER, "text": OTHER, "rough": False},
        {"x": 285, "kind": ALONE, "text": "hollow: read off a plot, or a bound", "rough": True},
    ]
    chart = altair.Chart(inline_data(entries)).encode(
        x=altair.X("x:Q", axis=None).scale(domain=[0, frame.width]), y=altair.value(8)
    )
    title = altair.TitleParams(
        "Leakage where the caveat is absent", anchor="start", frame="group", color=INK,
        subtitle="0: as the base model. 1: as if trained without the caveat. Faint: published by "
        "others. Strong, with intervals: own.",
        subtitleColor=MUTED, fontSize=16, subtitleFontSize=12, offset=8, dx=-LABELS,
    )  # fmt: skip
    words = chart.mark_text(align="left", dx=9, fontSize=12, color=INK, aria=False)
    layers = altair.layer(*_marks(chart, size=70), words.encode(text="text:N"))
    return layers.properties(width=frame.width, height=16, title=title)


def _words(sentence: str, frame: Frame) -> Any:
    import altair

    mark = altair.Chart(inline_data([{"hover": sentence}])).mark_text(
        align="left", fontSize=12, color=INK, fontStyle="italic"
    )
    return mark.encode(text="hover:N", x=altair.value(0)).properties(width=frame.width, height=LANE)


def _points(points: Sequence[Point], frame: Frame) -> Any:
    import altair

    lanes = _lanes(points)
    chart = altair.Chart(inline_data([_clipped(point, frame) for point in points]))
    lane = altair.Y("lane:N", sort=lanes).scale(domain=lanes).title(None).axis(
        domain=False, ticks=False, labelPadding=10, labelLimit=LABELS, minExtent=LABELS,
        maxExtent=LABELS,
    )  # fmt: skip
    ends = base_to_bare([0, 0.5, 1], grid=True, gridColor=LINE)
    scale = altair.Scale(domain=list(frame.domain), nice=False, zero=False)
    interval = chart.transform_filter("isValid(datum.low)").mark_rule(
        strokeWidth=2, opacity=0.4, aria=False
    )
    low = altair.X("low:Q", scale=scale, axis=ends).title(None)
    placed = chart.encode(
        x=altair.X("leakage:Q", axis=ends, scale=scale).title(None),
        y=lane,
        description=altair.Description("hover:N"),
    )
    others, own = (placed.transform_filter(test) for test in ("!datum.own", "datum.own"))
    return altair.layer(
        interval.encode(y=lane, x=low, x2="high:Q", color=_colour()),
        *_marks(others, size=55, opacity=0.5),
        *_marks(own, size=85),
    ).properties(width=frame.width, height=LANE * len(lanes))


def _marks(chart: Any, size: int, opacity: float = 1.0) -> tuple[Any, Any]:
    """Filled marks, and hollow ones for rough values."""
    import altair

    shape = altair.Shape("kind:N", legend=None)
    shape = shape.scale(domain=list(SHAPES), range=list(SHAPES.values()))
    filled = chart.transform_filter("!datum.rough").mark_point(
        filled=True, size=size, opacity=opacity
    )
    hollow = chart.transform_filter("datum.rough").mark_point(
        filled=False, size=size, opacity=min(1.0, 1.5 * opacity)
    )
    return (
        filled.encode(color=_colour(), shape=shape),
        hollow.encode(color=_colour(), shape=shape),
    )


def _colour() -> Any:
    import altair

    colour = altair.Color("kind:N", legend=None)
    return colour.scale(domain=list(COLOURS), range=list(COLOURS.values()))


def _lanes(points: Sequence[Point]) -> list[str]:
    """Names of the lanes: own ones first, then from what leaks most to what leaks least."""
    lanes: dict[str, list[Point]] = {}
    for point in points:
        lanes.setdefault(point.lane, []).append(point)

    def order(lane: str) -> tuple[bool, float]:
        middle = statistics.median(point.leakage for point in lanes[lane])
        return not lanes[lane][0].own, -middle

    return sorted(lanes, key=order)


def _clipped(point: Point, frame: Frame) -> dict[str, Any]:
    """The point as data of the figure, its interval cut at the ends of the axis."""
    low, high = frame.domain
    ends = {"low": point.low, "high": point.high}
    clipped = {
        name: None if end is None else min(max(end, low), high) for name, end in ends.items()
    }
    return {**asdict(point), **clipped}
