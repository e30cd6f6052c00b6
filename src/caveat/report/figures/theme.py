"""What all figures share: colours, fonts, the axis from base to bare, and export as SVG."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from xml.etree import ElementTree

if TYPE_CHECKING:
    import altair


INK, MUTED, LINE = "#24292f", "#6a6f76", "#c9c5bc"
MARKED, INTERVENTION, CONTROL = "#c24e00", "#0068a8", "#8a5a83"
"""Okabe and Ito's vermilion, blue and purple, darkened to be read as text; shapes differ too."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
LETTER = 0.6
"""Width of a letter by the size of a wide font: the reader's fonts are not known here."""
SVG = "http://www.w3.org/2000/svg"
STYLE_COLOURS: Mapping[str, str] = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    MARKED: "var(--marked)",
    INTERVENTION: "var(--intervention)",
    CONTROL: "var(--control)",
}
"""The same colours as variables of the style sheet, which follow the page's light or dark mode."""

Chart = TypeVar("Chart", bound="altair.TopLevelMixin")


def as_lanes(chart: Chart, background: str, padding: float | Mapping[str, float]) -> Chart:
    """A lane for each arm or setting: names on the left, neither frame nor titles of axes."""
    return (
        chart.configure(font=FONT, background=background, padding=padding)
        .configure_view(stroke=None)
        .configure_axis(labelColor=INK, labelFontSize=12)
    )


def as_curves(
    chart: Chart,
    background: str,
    legend: Mapping[str, Any] = MappingProxyType({}),
) -> Chart:
    """Panels with a frame and a faint grid, their legend below unless the options say otherwise.

    Args:
        legend: Options of the legend.
    """
    return (
        chart.configure(font=FONT, background=background, padding=4)
        .configure_view(stroke=LINE)
        .configure_axis(
            labelColor=INK, titleColor=INK, labelFontSize=12, titleFontWeight="normal",
            gridColor=LINE, gridOpacity=0.4, domainColor=LINE, tickColor=LINE,
        )
        .configure_title(anchor="start", color=INK, fontSize=13)
        .configure_legend(
            **{"orient": "bottom", "title": None, "labelFontSize": 12, "labelColor": INK, **legend}
        )
    )  # fmt: skip


def base_to_bare(values: Sequence[float], **options: Any) -> altair.Axis:
    """The axis of leakage, with base written at 0 and bare at 1; `options` are Vega's."""
    import altair

    return altair.Axis(
        values=list(values), format="~g", domain=False, ticks=False, labelColor=MUTED,
        labelExpr="datum.value == 0 ? '0 · base' : datum.value == 1 ? '1 · bare' : datum.label",
        **options,
    )  # fmt: skip


def inline_data(points: Sequence[Mapping[str, Any]]) -> altair.InlineData:
    """Points as the data of a chart, written as JSON: Altair copies lists and mappings again and
    again."""
    import altair

    return altair.InlineData(values=json.dumps(points), format=altair.DataFormat(type="json"))


@contextmanager
def unchecked() -> Iterator[None]:
    """Inside, Altair does not compare every part of a chart with the schema of Vega-Lite.

    The charts are our own, tests look at what they come to, and it takes half of the time.
    """
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):
        yield


Specification = Mapping[str, Any]
"""A chart as Vega-Lite reads it."""


def specification(chart: altair.TopLevelMixin) -> Specification:
    """Of a chart. Altair takes a quarter of a second for a large one, so it is made once."""
    return chart.to_dict(validate=False)


def chart_rows(chart: Specification) -> list[dict[str, Any]]:
    """The values that a chart shows: every data set of points, once."""
    # Altair moves inline data to the outermost level, and equal ones into one.
    sets = chart.get("datasets", {}).values()
    lists = [json.loads(values) if isinstance(values, str) else values for values in sets]
    rows = [row for values in lists for row in values if len(row) > 1]
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]


def inline_svg(chart: Specification) -> str:
    """The chart as an `<svg>` element, with colours of the style sheet and a title per point."""
    root = _svg(chart)
    for element in root.iter():
        _recolour(element)
    root.set("preserveAspectRatio", "xMinYMin meet")
    return ElementTree.tostring(root, encoding="unicode")


def svg_file(chart: Specification) -> str:
    """The chart as an SVG file of its own, with a title per point, too."""
    return ElementTree.tostring(_svg(chart), encoding="unicode") + "\n"


def _svg(chart: Specification) -> ElementTree.Element:
    root = ElementTree.fromstring(_converted(json.dumps(chart, sort_keys=True)))
    for element in list(root.iter()):
        _add_title(element)
    ElementTree.register_namespace("", SVG)
    return root


@lru_cache(maxsize=64)
def _converted(specification: str) -> str:
    """What Vega makes of a specification."""
    import vl_convert

    return vl_convert.vegalite_to_svg(specification)


def _recolour(element: ElementTree.Element) -> None:
    for attribute in ("fill", "stroke"):
        colour = STYLE_COLOURS.get(element.get(attribute, ""))
        if colour:
            element.set(attribute, colour)


def _add_title(element: ElementTree.Element) -> None:
    """Browsers show a `<title>` when the pointer rests on a mark; Vega writes `aria-label` only."""
    label = element.get("aria-label")
    if label and element.get("aria-roledescription") == "point":
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = label
        element.insert(0, title)
