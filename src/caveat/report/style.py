"""What the pictures have in common: colours, letters, and how they are set."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import altair

INK, MUTED, LINE = "#24292f", "#6a6f76", "#c9c5bc"
MARKED, INTERVENTION, CONTROL = "#c24e00", "#0068a8", "#8a5a83"
"""Okabe and Ito's vermilion, blue and purple, darkened to be read as text; shapes differ too."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
LETTER = 0.6
"""Width of a letter by the size of a wide font: the reader's fonts are not known here."""

Chart = TypeVar("Chart", bound="altair.TopLevelMixin")


def as_lanes(chart: Chart, background: str, padding: float | Mapping[str, float]) -> Chart:
    """A lane an arm or rung: names on the left, neither frame nor titles of axes."""
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
    """Panels with a frame and a faint grid, their legend below.

    Args:
        legend: What is set of it besides.
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
            orient="bottom", title=None, labelFontSize=12, labelColor=INK, **legend
        )
    )  # fmt: skip
