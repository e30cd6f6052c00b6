"""The ladder as a picture: rungs from top to bottom, and the steps between neighbours."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from caveat.analysis.ladder import Ladder
from caveat.report.figures.leakage import domain_of
from caveat.report.figures.theme import CONTROL, INK, LETTER, LINE, MARKED, MUTED, as_lanes
from caveat.report.formatting import figure
from caveat.report.tables.ladder import (
    Row,
    factors_of,
    from_to,
    in_words,
    leaked,
    outcome,
    since_each,
    told,
)

if TYPE_CHECKING:
    import altair


LANE, LABELS, WRITTEN = 26, 300, 130
"""Pixels: the height of a lane, the most room for its name, and the room for its figure."""


def ladder_picture(ladder: Ladder, width: int = 420, background: str = "white") -> altair.Chart:
    """A lane a rung, in the recipe's order: marked's leakage with its interval.

    A line joins neighbours that are a step apart, a strong one where their leakages are
    distinguishable once corrected. Lanes are named by what differs from the one above.
    """
    import altair

    rows = ladder.rungs.to_dict("records")
    steps = {(step["first"], step["second"]): step for step in ladder.steps.to_dict("records")}
    points = _points(rows, steps)
    domain = domain_of([point for point in points if point["leakage"] is not None])
    axes = _axes([point["lane"] for point in points], domain)
    marks = _marks([_cut(point, domain) for point in points], axes, width)
    layers = altair.layer(*_joined(_segments(points), axes), *marks)
    drawn = layers.properties(width=width, height=LANE * len(rows), title=_title(rows, width))
    return as_lanes(drawn, background, {"left": 2, "right": 24})


def _points(rows: Sequence[Row], steps: dict[tuple[int, int], Row]) -> list[dict[str, Any]]:
    """The rungs as the picture takes them; `step` is that from the rung above, or back to it."""
    points: list[dict[str, Any]] = []
    above: int | None = None
    for row, name in zip(rows, since_each(rows), strict=True):
        leakage, number = figure(row, "leakage"), row["rung"]
        step = steps.get((above, number)) or steps.get((number, above))  # type: ignore[arg-type]
        points.append({
            "lane": f"{number}  {name}",
            "leakage": leakage.value,
            "low": leakage.low,
            "high": leakage.high,
            "written": leaked(row),
            "step": step,
            "said": _said(row, step),
        })  # fmt: skip
        above = number
    return points


def _said(row: Row, step: Row | None) -> str:
    said = f"rung {row['rung']}, {row['setting']} ({in_words(factors_of(row))}): leakage "
    said += f"{leaked(row)}; marked above base {figure(row, 'leaks')}"
    if step is None:
        return said
    return f"{said}; {from_to(step)}: {figure(step, 'leakage_change')}, {outcome(step)}"


def _cut(point: dict[str, Any], domain: tuple[float, float]) -> dict[str, Any]:
    """What is drawn of a point, its interval cut at the ends of the axis."""
    drawn = {name: value for name, value in point.items() if name != "step"}
    if point["leakage"] is None:
        return drawn
    return {**drawn, "low": max(point["low"], domain[0]), "high": min(point["high"], domain[1])}


def _axes(lanes: list[str], domain: tuple[float, float]) -> dict[str, Any]:
    import altair

    axis = altair.Axis(
        values=[0, 0.5, 1], format="~g", grid=False, domain=False, ticks=False,
        labelExpr="datum.value == 0 ? '0 · base' : datum.value == 1 ? '1 · bare' : datum.label",
        labelColor=MUTED, labelPadding=6,
    )  # fmt: skip
    scale = altair.Scale(domain=list(domain), nice=False, zero=False)
    lane = altair.Y("lane:N", sort=lanes).scale(domain=lanes).title(None)
    return {
        "y": lane.axis(domain=False, ticks=False, labelPadding=10, labelLimit=LABELS),
        "x": altair.X("leakage:Q", axis=axis, scale=scale).title(None),
        "low": altair.X("low:Q", axis=axis, scale=scale).title(None),
    }


def _segments(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The two ends of every line between neighbours."""
    return [
        {"lane": end["lane"], "leakage": end["leakage"], "number": number,
         "told": told(point["step"])}
        for number, (above, point) in enumerate(pairwise(points))
        if point["step"] is not None and None not in (above["leakage"], point["leakage"])
        for end in (above, point)
    ]  # fmt: skip


def _joined(segments: list[dict[str, Any]], axes: dict[str, Any]) -> list[Any]:
    import altair

    chart = altair.Chart(altair.Data(values=segments)).encode(
        y=axes["y"], x=axes["x"], detail="number:N", order="number:Q"
    )
    weak, strong = (chart.transform_filter(each) for each in ("!datum.told", "datum.told"))
    return [
        weak.mark_line(color=LINE, strokeWidth=1.5, strokeDash=[3, 3], aria=False),
        strong.mark_line(color=CONTROL, strokeWidth=2.5, aria=False),
    ]


def _marks(points: list[dict[str, Any]], axes: dict[str, Any], width: int) -> list[Any]:
    import altair

    chart = altair.Chart(altair.Data(values=points)).encode(y=axes["y"])
    ends = [
        chart.mark_point(shape="stroke", angle=90, size=70, stroke=LINE, aria=False).encode(
            x=altair.datum(end)
        )
        for end in (0, 1)
    ]
    known = chart.transform_filter("isValid(datum.leakage)")
    interval = known.mark_rule(strokeWidth=3, opacity=0.45, color=MARKED, aria=False)
    point = known.mark_point(size=95, filled=True, opacity=1, color=MARKED)
    written = chart.mark_text(align="left", fontSize=12, color=INK, aria=False)
    return [
        *ends,
        interval.encode(x=axes["low"], x2="high:Q"),
        point.encode(x=axes["x"], description=altair.Description("said:N")),
        written.encode(x=altair.value(width + 12), text="written:N"),
    ]


def _title(rows: Sequence[Row], width: int) -> Any:
    import altair

    said = f"Rung 1 stands for: {in_words(factors_of(rows[0]))}" if rows else "No rung has replies."
    lines = textwrap.wrap(said, int((width + WRITTEN) / (LETTER * 12)))
    return altair.TitleParams(
        lines, anchor="start", color=MUTED, fontSize=12, fontWeight="normal", offset=10
    )
