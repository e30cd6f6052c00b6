"""The dial as a picture: leakage, and k, against elicitation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caveat.analysis.ladder import Ladder
from caveat.report.figures.theme import CONTROL, INTERVENTION, LINE, MARKED, as_curves
from caveat.report.formatting import figure
from caveat.report.tables.ladder import Row, factors_of, in_words

if TYPE_CHECKING:
    import altair


COLOURS = (MARKED, INTERVENTION, CONTROL)
SHAPES = ("circle", "diamond", "square", "triangle-up", "triangle-down")
"""Settings differ in colour and shape; where there are more than `MOST`, only behaviours do."""
MOST = 9
HEIGHT = 300
"""Pixels of a panel."""


def dial_picture(
    ladder: Ladder, width: int = 320, background: str = "white"
) -> altair.HConcatChart | None:
    """Leakage of marked against elicitation, each with its interval, and beside it k; a line joins
    the rungs of one setting. None where no behaviour's rungs differ in elicitation."""
    import altair

    rows = _rows(ladder)
    if not rows:
        return None
    told = "setting" if len({row["setting"] for row in rows}) <= MOST else "behaviour"
    panels = [
        _panel([_point(row, name, told) for row in rows], title, width)
        for name, title in (("leakage", "Leakage of marked"), ("k", "k"))
        if any(figure(row, name).value is not None for row in rows)
    ]
    legend = {"columns": 1, "labelLimit": int(2 * width), "symbolSize": 80}
    return as_curves(altair.hconcat(*panels, spacing=40), background, legend=legend)


def _rows(ladder: Ladder) -> list[Row]:
    """Rungs of the families of the dial that have leakage and elicitation."""
    families = ladder.dial.to_dict("records")
    shown = {(row["family"], row["name"]) for row in families}
    return [
        row
        for row in ladder.rungs.to_dict("records")
        if {("setting", row["setting"]), ("behaviour", row["behaviour"])} & shown
        and None not in (figure(row, "leakage").value, figure(row, "elicitation").value)
    ]


def _point(row: Row, name: str, told: str) -> dict[str, Any]:
    across, up = figure(row, "elicitation"), figure(row, name)
    said = f"rung {row['rung']}, {row['setting']}, {row['model']} ({in_words(factors_of(row))})"
    said += f": elicitation {across}, leakage {figure(row, 'leakage')}, k {figure(row, 'k')}"
    return {
        "setting": row["setting"], "key": row[told], "said": said,
        "x": across.value, "x_low": across.low, "x_high": across.high,
        "y": up.value, "y_low": up.low, "y_high": up.high,
    }  # fmt: skip


def _panel(points: list[dict[str, Any]], title: str, width: int) -> Any:
    import altair

    known = [point for point in points if point["y"] is not None]
    across, up = _across(points), _domain(known)

    def x(name: str) -> Any:
        channel = altair.X(f"{name}:Q", title="elicitation")
        return channel.scale(domain=across, nice=False, zero=False)

    def y(name: str) -> Any:
        return altair.Y(f"{name}:Q", title=None).scale(domain=up, nice=False, zero=False)

    colour, shape = _styles(list(dict.fromkeys(point["key"] for point in points)))
    chart = altair.Chart(altair.Data(values=known)).encode(color=colour)
    silent = {"aria": False}
    flat = chart.mark_rule(opacity=0.4, **silent).encode(x=x("x_low"), x2="x_high:Q", y=y("y"))
    steep = chart.mark_rule(opacity=0.4, clip=True, **silent).encode(
        x=x("x"), y=y("y_low"), y2="y_high:Q"
    )
    line = chart.mark_line(strokeWidth=1.5, **silent).encode(x=x("x"), y=y("y"), detail="setting:N")
    point = chart.mark_point(size=80, filled=True, opacity=1).encode(
        x=x("x"), y=y("y"), shape=shape, description=altair.Description("said:N")
    )
    ends = altair.Chart(altair.Data(values=[{"y": 0}, {"y": 1}])).mark_rule(
        stroke=LINE, strokeDash=[3, 3], **silent
    )
    layers = altair.layer(ends.encode(y=y("y")), flat, steep, line, point)
    return layers.properties(width=width, height=HEIGHT, title=title)


def _domain(points: Sequence[dict[str, Any]]) -> list[float]:
    """Wide enough for every point and for 0 and 1; intervals reach no farther than 1 beyond."""
    values = [point["y"] for point in points]
    ends = [point["y_low"] for point in points], [point["y_high"] for point in points]
    low, high = min(0.0, *values), max(1.0, *values)
    return [max(min([low, *ends[0]]), low - 1) - 0.05, min(max([high, *ends[1]]), high + 1) + 0.05]


def _across(points: Sequence[dict[str, Any]]) -> list[float]:
    return [
        min(0.0, *(point["x_low"] for point in points)) - 0.02,
        max(point["x_high"] for point in points) + 0.02,
    ]


def _styles(names: list[str]) -> tuple[Any, Any]:
    import altair

    colours = [COLOURS[place % len(COLOURS)] for place in range(len(names))]
    shapes = [SHAPES[place // len(COLOURS) % len(SHAPES)] for place in range(len(names))]
    key = altair.Legend(symbolOpacity=1)
    return (
        altair.Color("key:N", legend=key).scale(domain=names, range=colours),
        altair.Shape("key:N", legend=key).scale(domain=names, range=shapes),
    )
