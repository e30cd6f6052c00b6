"""Leakage against elicitation over published results: a fixed wording beside rephrased ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from caveat.published.results import Result
from caveat.report.figures.theme import CONTROL, INTERVENTION, LINE, MARKED, as_curves, inline_data
from caveat.report.formatting import number
from caveat.report.panels import panels

if TYPE_CHECKING:
    import altair
    from pandas import DataFrame


PANELS = {"fixed": "one fixed wording", "rephrased": "rephrased in every row", "": "own"}
"""Titles of the panels, by the wording; own settings have a panel of their own."""
COLOURS = (MARKED, INTERVENTION, CONTROL)
SHAPES = ("circle", "diamond", "square", "triangle-up", "triangle-down", "cross")
WIDTH, HEIGHT = 250, 260
"""Pixels of a panel."""


@dataclass(frozen=True)
class ElicitedPoint:
    """A setting's leakage, and how much its caveat elicits from the base model."""

    wording: str
    setting: str
    leakage: float
    low: float
    """The least that the caveat elicits; of a study the lower limit."""
    high: float
    middle: float
    """Where the point is plotted: the value, or the middle of the range."""
    hover: str


def elicited_points(results: Iterable[Result]) -> list[ElicitedPoint]:
    """The results that have both; a range of elicitation is plotted at its middle."""
    return [
        ElicitedPoint(
            wording=result.wording,
            setting=f"{result.setting}, {result.model}",
            leakage=result.leakage,
            low=result.elicitation[0],
            high=result.elicitation[1],
            middle=sum(result.elicitation) / 2,
            hover=f"{result.setting}, {result.model}: {result.caveat}, {result.wording or 'own'}, "
            f"{result.prompts or 1} prompts: elicitation {result.elicitation[0]:g} to "
            f"{result.elicitation[1]:g}, leakage {result.leakage:.2f}; {result.source}, "
            f"{result.locator}",
        )
        for result in results
        if result.elicitation is not None and result.leakage is not None
    ]


def study_elicited(leakage: DataFrame, checks: DataFrame, name: str) -> list[ElicitedPoint]:
    """The settings of a study in which base was tested with the caveat, and marked leaks."""
    points = []
    for panel in panels(leakage):
        value = panel.leakage("marked", "none").value
        rows = panel.of(checks)
        rows = rows[rows["check"] == "elicitation"].to_dict("records")
        if value is None or not rows:
            continue
        middle, low, high = (number(rows[0][column]) for column in ("value", "low", "high"))
        if middle is None or low is None or high is None:
            continue
        points.append(ElicitedPoint(
            "", panel.title, value, low, high, middle,
            f"{panel.title}: elicitation {middle:.2f} [{low:.2f}, {high:.2f}], leakage "
            f"{panel.leakage('marked', 'none')}; study {name}",
        ))  # fmt: skip
    return points


def elicited_figure(
    results: Sequence[Result], points: Sequence[ElicitedPoint] = (), background: str = "white"
) -> altair.HConcatChart | None:
    """A panel for each kind of wording, and one for a study's points; None without any point.

    A line across is the range of elicitation of the prompts behind a point. A thin line joins the
    points of a setting.
    """
    import altair

    every = [*elicited_points(results), *points]
    if not every:
        return None
    settings = list(dict.fromkeys(point.setting for point in every))
    charts = [
        _panel([point for point in every if point.wording == wording], title, settings, every)
        for wording, title in PANELS.items()
        if any(point.wording == wording for point in every)
    ]
    legend = {"columns": 2, "labelLimit": 2 * WIDTH, "symbolSize": 80}
    return as_curves(altair.hconcat(*charts, spacing=30), background, legend=legend)


def _panel(
    points: Sequence[ElicitedPoint],
    title: str,
    settings: Sequence[str],
    every: Sequence[ElicitedPoint],
) -> Any:
    import altair

    across = [min(0.0, *(point.low for point in every)) - 0.02, 1.02]
    up = [
        min(0.0, *(point.leakage for point in every)) - 0.06,
        max(1.0, *(point.leakage for point in every)) + 0.06,
    ]

    def x(name: str) -> Any:
        channel = altair.X(f"{name}:Q", title="elicitation")
        return channel.scale(domain=across, nice=False, zero=False)

    def y(name: str) -> Any:
        return altair.Y(f"{name}:Q", title=None).scale(domain=up, nice=False, zero=False)

    legend = altair.Legend(symbolOpacity=1)
    count = range(len(settings))
    colour = altair.Color("setting:N", legend=legend).scale(
        domain=list(settings), range=[COLOURS[index % len(COLOURS)] for index in count]
    )
    shape = altair.Shape("setting:N", legend=legend).scale(
        domain=list(settings), range=[SHAPES[index % len(SHAPES)] for index in count]
    )
    values = [asdict(point) for point in points]
    chart = altair.Chart(inline_data(values)).encode(color=colour)
    ends = altair.Chart(inline_data([{"y": 0}, {"y": 1}])).mark_rule(
        stroke=LINE, strokeDash=[3, 3], aria=False
    )
    spans = chart.mark_rule(opacity=0.35, strokeWidth=2, aria=False).encode(
        x=x("low"), x2="high:Q", y=y("leakage")
    )
    lines = chart.mark_line(opacity=0.5, strokeWidth=1, aria=False).encode(
        x=x("middle"), y=y("leakage"), detail="setting:N"
    )
    marks = chart.mark_point(size=70, filled=True, opacity=1).encode(
        x=x("middle"), y=y("leakage"), shape=shape, description=altair.Description("hover:N")
    )
    layers = altair.layer(ends.encode(y=y("y")), spans, lines, marks)
    return layers.properties(width=WIDTH, height=HEIGHT, title=f"Leakage, {title}")
