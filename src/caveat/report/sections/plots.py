"""The plots of a page, and the values that they offer as CSV files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caveat.report.figures.svg import Plot, csv_of
from caveat.report.figures.theme import chart_rows, inline_svg, specification

if TYPE_CHECKING:
    import altair
    from markupsafe import Markup


@dataclass(frozen=True)
class PagePlot:
    """A plot in the page."""

    name: str
    """Of its files, and of its values among the page's CSV files."""
    wide: Markup
    narrow: Markup | None = None
    """The same for phones; None where one plot serves all."""


class Plots:
    """Collects the values of all plots of a page."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        """CSV files by the name of their plot."""

    def add(self, name: str, wide: Plot, narrow: Plot | None = None) -> PagePlot:
        """A plot that was written as SVG."""
        from markupsafe import Markup

        self.values[name] = wide.csv()
        small = None if narrow is None else Markup(narrow.inline())
        return PagePlot(name, Markup(wide.inline()), small)

    def add_chart(self, name: str, chart: altair.TopLevelMixin | None) -> PagePlot | None:
        """A chart of Vega; None stays None."""
        from markupsafe import Markup

        if chart is None:
            return None
        specified = specification(chart)
        self.values[name] = csv_of(chart_rows(specified))
        return PagePlot(name, Markup(inline_svg(specified)))
