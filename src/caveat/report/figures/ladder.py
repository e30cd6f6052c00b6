"""The ladder as figures: settings with the steps between neighbours, and the elicitation curve."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from caveat.analysis.ladder import Ladder
from caveat.report.figures.leakage import domain_of
from caveat.report.figures.theme import (
    CONTROL,
    INK,
    INTERVENTION,
    LETTER,
    LINE,
    MARKED,
    MUTED,
    as_curves,
    as_lanes,
    base_to_bare,
    inline_data,
)
from caveat.report.formatting import estimate
from caveat.report.tables.ladder import (
    Row,
    factors_of,
    from_to,
    in_words,
    is_distinguishable,
    labels,
    leakage_text,
    outcome,
)

if TYPE_CHECKING:
    import altair


LANE, LABELS, WRITTEN = 26, 300, 130
"""Pixels: the height of a lane, the most width of its name, and the width of its value."""
COLOURS = (MARKED, INTERVENTION, CONTROL)
SHAPES = ("circle", "diamond", "square", "triangle-up", "triangle-down")
"""Settings differ in colour and shape; where there are more than `MOST`, only behaviours do."""
MOST = 9
HEIGHT = 300
"""Pixels of a panel of the elicitation curve."""


def ladder_figure(ladder: Ladder, width: int = 420, background: str = "white") -> altair.Chart:
    """A lane for each setting, in the recipe's order: marked's leakage with its interval.

    A line joins neighbours that are a step apart, a strong one where their leakages are
    distinguishable once corrected. Lanes are named by what differs from the one above.
    """
    import altair

    rows = ladder.settings.to_dict("records")
    steps = {(step["first"], step["second"]): step for step in ladder.steps.to_dict("records")}
    points = _points(rows, steps)
    domain = domain_of([point for point in points if point["leakage"] is not None])
    axes = _axes([point["lane"] for point in points], domain)
    marks = _marks([_clipped(point, domain) for point in points], axes, width)
    layers = altair.layer(*_joined(_segments(points), axes), *marks)
    chart = layers.properties(width=width, height=LANE * len(rows), title=_title(rows, width))
    return as_lanes(chart, background, {"left": 2, "right": 24})


def _points(rows: Sequence[Row], steps: Mapping[Any, Row]) -> list[dict[str, Any]]:
    """The settings as data of the figure; `step` is that from the one above, or back to it."""
    points: list[dict[str, Any]] = []
    above: int | None = None
    for row, label in zip(rows, labels(rows), strict=True):
        leakage, number = estimate(row, "leakage"), row["number"]
        step = steps.get((above, number)) or steps.get((number, above))
        points.append({
            "lane": f"{number}  {label}",
            "leakage": leakage.value,
            "low": leakage.low,
            "high": leakage.high,
            "written": leakage_text(row),
            "step": step,
            "hover": _hover(row, step),
        })  # fmt: skip
        above = number
    return points


def _hover(row: Row, step: Row | None) -> str:
    line = f"{row['number']}: {row['setting']} ({in_words(factors_of(row))}): leakage "
    line += f"{leakage_text(row)}; marked above base {estimate(row, 'leaks')}"
    if step is None:
        return line
    return f"{line}; {from_to(step)}: {estimate(step, 'leakage_change')}, {outcome(step)}"


def _clipped(point: dict[str, Any], domain: tuple[float, float]) -> dict[str, Any]:
    """A point without its step, the interval cut at the ends of the axis."""
    data = {name: value for name, value in point.items() if name != "step"}
    if point["leakage"] is None:
        return data
    return {**data, "low": max(point["low"], domain[0]), "high": min(point["high"], domain[1])}


def _axes(lanes: list[str], domain: tuple[float, float]) -> dict[str, Any]:
    import altair

    axis = base_to_bare([0, 0.5, 1], grid=False, labelPadding=6)
    scale = altair.Scale(domain=list(domain), nice=False, zero=False)
    lane = altair.Y("lane:N", sort=lanes).scale(domain=lanes).title(None)
    # The reader's font may be wider than the one that Vega measures labels with.
    labels = min(LABELS, 14 + int(max(map(len, lanes), default=0) * LETTER * 12))
    return {
        "y": lane.axis(
            domain=False, ticks=False, labelPadding=10, labelLimit=labels, minExtent=labels
        ),
        "x": altair.X("leakage:Q", axis=axis, scale=scale).title(None),
        "low": altair.X("low:Q", axis=axis, scale=scale).title(None),
    }


def _segments(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The two ends of every line between neighbours."""
    return [
        {"lane": end["lane"], "leakage": end["leakage"], "number": number,
         "distinguishable": is_distinguishable(point["step"])}
        for number, (above, point) in enumerate(pairwise(points))
        if point["step"] is not None and None not in (above["leakage"], point["leakage"])
        for end in (above, point)
    ]  # fmt: skip


def _joined(segments: list[dict[str, Any]], axes: dict[str, Any]) -> list[Any]:
    import altair

    chart = altair.Chart(inline_data(segments)).encode(
        y=axes["y"], x=axes["x"], detail="number:N", order="number:Q"
    )
    weak = chart.transform_filter("!datum.distinguishable")
    strong = chart.transform_filter("datum.distinguishable")
    return [
        weak.mark_line(color=LINE, strokeWidth=1.5, strokeDash=[3, 3], aria=False),
        strong.mark_line(color=CONTROL, strokeWidth=2.5, aria=False),
    ]


def _marks(points: list[dict[str, Any]], axes: dict[str, Any], width: int) -> list[Any]:
    import altair

    chart = altair.Chart(inline_data(points)).encode(y=axes["y"])
    ends = [
        chart.mark_point(shape="stroke", angle=90, size=70, stroke=LINE, aria=False).encode(
            x=altair.datum(end)
        )
        for end in (0, 1)
    ]
    defined = chart.transform_filter("isValid(datum.leakage)")
    interval = defined.mark_rule(strokeWidth=3, opacity=0.45, color=MARKED, aria=False)
    point = defined.mark_point(size=95, filled=True, opacity=1, color=MARKED)
    written = chart.mark_text(align="left", fontSize=12, color=INK, aria=False)
    return [
        *ends,
        interval.encode(x=axes["low"], x2="high:Q"),
        point.encode(x=axes["x"], description=altair.Description("hover:N")),
        written.encode(x=altair.value(width + 12), text="written:N"),
    ]


def _title(rows: Sequence[Row], width: int) -> Any:
    import altair

    sentence = (
        f"Setting 1 stands for: {in_words(factors_of(rows[0]))}" if rows
        else "No setting has answers."
    )  # fmt: skip
    lines = textwrap.wrap(sentence, int((width + WRITTEN) / (LETTER * 12)))
    return altair.TitleParams(
        lines, anchor="start", color=MUTED, fontSize=12, fontWeight="normal", offset=10
    )


def elicitation_figure(
    ladder: Ladder, width: int = 320, background: str = "white"
) -> altair.HConcatChart | None:
    """Leakage of marked against elicitation, each with its interval, and beside it k.

    A line joins settings of the same behaviour and caveat. None where no behaviour's settings
    differ in elicitation.
    """
    import altair

    rows = _curve_rows(ladder)
    if not rows:
        return None
    key = "setting" if len({row["setting"] for row in rows}) <= MOST else "behaviour"
    panels = [
        _curve_panel([_curve_point(row, name, key) for row in rows], title, width)
        for name, title in (("leakage", "Leakage of marked"), ("k", "k"))
        if any(estimate(row, name).value is not None for row in rows)
    ]
    legend = {"columns": 1, "labelLimit": int(2 * width), "symbolSize": 80}
    return as_curves(altair.hconcat(*panels, spacing=40), background, legend=legend)


def _curve_rows(ladder: Ladder) -> list[Row]:
    """Settings of the families of the elicitation curve that have leakage and elicitation.

    Where no behaviour has several settings, as in tables of others, all settings are one family.
    """
    families = {
        (row["family"], row["name"]) for row in ladder.elicitation_curves.to_dict("records")
    }
    rows = [
        row
        for row in ladder.settings.to_dict("records")
        if None not in (estimate(row, "leakage").value, estimate(row, "elicitation").value)
    ]
    elicited = {estimate(row, "elicitation").value for row in rows}
    if not families and len(elicited) > 1 and len({row["behaviour"] for row in rows}) > 1:
        return rows
    return [
        row
        for row in rows
        if {("setting", row["setting"]), ("behaviour", row["behaviour"])} & families
    ]


def _curve_point(row: Row, name: str, key: str) -> dict[str, Any]:
    across, up = estimate(row, "elicitation"), estimate(row, name)
    factors = in_words(factors_of(row))
    hover = f"{row['number']}: {row['setting']}, {row['model']} ({factors}): elicitation {across}"
    hover += f", leakage {estimate(row, 'leakage')}, k {estimate(row, 'k')}"
    return {
        "setting": row["setting"], "key": row[key], "hover": hover,
        "x": across.value, "x_low": across.low, "x_high": across.high,
        "y": up.value, "y_low": up.low, "y_high": up.high,
    }  # fmt: skip


def _curve_panel(points: list[dict[str, Any]], title: str, width: int) -> Any:
    import altair

    defined = [point for point in points if point["y"] is not None]
    across, up = _across(points), _up(defined)

    def x(name: str) -> Any:
        channel = altair.X(f"{name}:Q", title="elicitation")
        return channel.scale(domain=across, nice=False, zero=False)

    def y(name: str) -> Any:
        return altair.Y(f"{name}:Q", title=None).scale(domain=up, nice=False, zero=False)

    colour, shape = _styles(list(dict.fromkeys(point["key"] for point in points)))
    chart = altair.Chart(inline_data(defined)).encode(color=colour)
    silent = {"aria": False}
    horizontal = chart.mark_rule(opacity=0.4, **silent).encode(
        x=x("x_low"), x2="x_high:Q", y=y("y")
    )
    vertical = chart.mark_rule(opacity=0.4, clip=True, **silent).encode(
        x=x("x"), y=y("y_low"), y2="y_high:Q"
    )
    line = chart.mark_line(strokeWidth=1.5, **silent).encode(x=x("x"), y=y("y"), detail="setting:N")
    point = chart.mark_point(size=80, filled=True, opacity=1).encode(
        x=x("x"), y=y("y"), shape=shape, description=altair.Description("hover:N")
    )
    ends = altair.Chart(inline_data([{"y": 0}, {"y": 1}])).mark_rule(
        stroke=LINE, strokeDash=[3, 3], **silent
    )
    layers = altair.layer(ends.encode(y=y("y")), horizontal, vertical, line, point)
    return layers.properties(width=width, height=HEIGHT, title=title)


def _up(points: Sequence[dict[str, Any]]) -> list[float]:
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

    colours = [COLOURS[index % len(COLOURS)] for index in range(len(names))]
    shapes = [SHAPES[index // len(COLOURS) % len(SHAPES)] for index in range(len(names))]
    key = altair.Legend(symbolOpacity=1)
    return (
        altair.Color("key:N", legend=key).scale(domain=names, range=colours),
        altair.Shape("key:N", legend=key).scale(domain=names, range=shapes),
    )
