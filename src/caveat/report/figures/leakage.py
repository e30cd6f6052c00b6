"""The main figure: per setting a line from base to bare, with the arms as points on it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.report.data import ReportData
from caveat.report.figures.theme import (
    CONTROL,
    INK,
    INTERVENTION,
    LETTER,
    LINE,
    MARKED,
    MUTED,
    as_lanes,
    base_to_bare,
)
from caveat.report.formatting import Estimate
from caveat.report.panels import Panel, panels_of

if TYPE_CHECKING:
    import altair


KINDS = {
    "marked": (MARKED, "circle"),
    "intervention": (INTERVENTION, "diamond"),
    "control": (CONTROL, "square"),
}
FARTHEST = (-1.0, 2.0)
"""Intervals are plotted as far as this, or as far as there are points; they are written in full."""
LANE = 26
PADDING = {"left": 2, "top": 4, "right": 30, "bottom": 4}


def leakage_figure(
    data: ReportData, width: int = 560, background: str = "white"
) -> altair.VConcatChart:
    """One panel a setting, `width` pixels between the ends of the axis, on one shared axis."""
    import altair

    panels = panels_of(data)
    points = {panel.title: _points(panel) for panel in panels}
    frame = _frame([point for of_panel in points.values() for point in of_panel], width)
    charts = [_panel(panel, points[panel.title], frame) for panel in panels]
    if not charts:
        charts = [_words("Nothing was measured, so there is nothing to show.", frame)]
    chart = as_lanes(altair.vconcat(*charts, spacing=30), background, PADDING)
    return chart.configure_title(
        anchor="start", frame="group", color=INK, subtitleColor=MUTED, offset=8
    )


@dataclass(frozen=True)
class Frame:
    """What all panels of the figure share."""

    width: int
    domain: tuple[float, float]
    labels: int
    """Pixels for the arms' names on the left."""

    def characters(self, size: int) -> int:
        """How many characters of a font `size` fit between the left and right ends."""
        return int((self.width + self.labels + 125) / (LETTER * size))


def _frame(points: list[dict[str, Any]], width: int) -> Frame:
    longest = max([len(point["arm"]) for point in points], default=0)
    return Frame(width, domain_of(points), min(180, 14 + int(longest * LETTER * 12)))


def _points(panel: Panel) -> list[dict[str, Any]]:
    """The arms that have a leakage, with their position on the line."""
    if panel.undefined:
        return []
    points = []
    for arm in panel.arms:
        leakage, rate = panel.leakage(arm, "none"), panel.rate(arm, "none")
        if arm not in ("base", "bare") and leakage.value is not None:
            points.append(_point(panel, arm, leakage, rate))
    return points


def _point(panel: Panel, arm: str, leakage: Estimate, rate: Estimate) -> dict[str, Any]:
    return {
        "arm": arm,
        "kind": _kind(arm),
        "leakage": leakage.value,
        "low": leakage.value if leakage.low is None else leakage.low,
        "high": leakage.value if leakage.high is None else leakage.high,
        "written": str(leakage),
        "hover": f"{panel.title}, {arm}: leakage {leakage}, rate {rate} at none",
    }


def _kind(arm: str) -> str:
    if arm == "marked":
        return "marked"
    is_control = not arm.startswith("marked+") or arm == "marked+filler"
    return "control" if is_control else "intervention"


def domain_of(points: list[dict[str, Any]]) -> tuple[float, float]:
    """Wide enough for every point, and for intervals unless they are very long."""
    low = min([point["leakage"] - 0.05 for point in points] + [FARTHEST[0]])
    high = max([point["leakage"] + 0.05 for point in points] + [FARTHEST[1]])
    return (
        max(low, min([point["low"] for point in points] + [-0.1])),
        min(high, max([point["high"] for point in points] + [1.1])),
    )


def _panel(panel: Panel, points: list[dict[str, Any]], frame: Frame) -> Any:
    title = _title(panel, frame)
    if panel.undefined:
        return _words(f"Leakage is undefined: {panel.undefined}.", frame, title)
    if not points:
        return _words("No arm under the caveat was measured at none.", frame, title)
    return _lanes(points, frame).properties(title=title)


def _title(panel: Panel, frame: Frame) -> Any:
    import altair

    ends = ", ".join(f"{arm} {panel.rate(arm, 'none')}" for arm in ("base", "bare"))
    kind = {"seeds": "; intervals over seeds", "within seed": "; intervals within seed"}
    rates = f"rates at none: {ends}" + kind.get(panel.interval, "")
    return altair.TitleParams(
        textwrap.wrap(panel.title, frame.characters(14)),
        subtitle=textwrap.wrap(rates, frame.characters(12)),
        dx=-frame.labels,
        fontSize=14,
        subtitleFontSize=12,
        subtitlePadding=4,
    )


def _lanes(points: list[dict[str, Any]], frame: Frame) -> Any:
    import altair

    width, domain = frame.width, frame.domain
    for point in points:
        point["low"], point["high"] = max(point["low"], domain[0]), min(point["high"], domain[1])
    chart = altair.Chart(altair.Data(values=points))
    lane = altair.Y("arm:N", sort=[point["arm"] for point in points]).title(None)
    lane = lane.axis(
        domain=False, ticks=False, labelPadding=10, labelLimit=frame.labels,
        minExtent=frame.labels, maxExtent=frame.labels,
    )  # fmt: skip
    values = [-1, 0, 0.25, 0.5, 0.75, 1, 2] if width > 300 else [0, 1]
    axis = base_to_bare(values, grid=False, labelPadding=6)
    x = altair.X("leakage:Q", axis=axis).scale(domain=domain, nice=False, zero=False).title(None)
    colour = altair.Color("kind:N").scale(domain=list(KINDS), range=[c for c, _ in KINDS.values()])
    shape = altair.Shape("kind:N").scale(domain=list(KINDS), range=[s for _, s in KINDS.values()])
    hover = altair.Description("hover:N")
    silent = {"aria": False}
    line = chart.mark_rule(stroke=LINE, strokeWidth=2, **silent).encode(
        y=lane, x=altair.datum(0), x2=altair.datum(1)
    )
    ends = [
        chart.mark_point(
            shape="stroke", angle=90, size=90, stroke=LINE, strokeWidth=2, **silent
        ).encode(y=lane, x=altair.datum(end))
        for end in (0, 1)
    ]
    interval = chart.mark_rule(strokeWidth=3, opacity=0.45, strokeCap="round", **silent).encode(
        y=lane, x=altair.X("low:Q", axis=axis), x2="high:Q", color=colour.legend(None)
    )
    dot = chart.mark_point(size=95, filled=True, opacity=1).encode(
        y=lane, x=x, color=colour.legend(None), shape=shape.legend(None), description=hover
    )
    written = chart.mark_text(align="left", fontSize=12, color=INK, **silent).encode(
        y=lane, x=altair.value(width + 12), text="written:N"
    )
    layers = altair.layer(line, *ends, interval, dot, written)
    return layers.properties(width=width, height=LANE * len(points))


def _words(sentence: str, frame: Frame, title: Any = "") -> Any:
    """A panel that says in words why it has no points."""
    import altair

    lines = textwrap.wrap(sentence, frame.characters(13))
    chart = altair.Chart(altair.Data(values=[{"hover": sentence}]))
    mark = chart.mark_text(align="left", baseline="top", fontSize=13, color=INK, fontStyle="italic")
    mark = mark.encode(
        text=altair.value(lines),
        x=altair.value(-frame.labels),
        y=altair.value(2),
        description=altair.Description("hover:N"),
    )
    return mark.properties(width=frame.width, height=18 * len(lines), title=title)
