"""Charts as inline SVG that follows the page's light or dark colours and has tooltips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from caveat.report import style

if TYPE_CHECKING:
    import altair

SVG = "http://www.w3.org/2000/svg"
COLOURS: Mapping[str, str] = {
    style.INK: "var(--ink)",
    style.MUTED: "var(--muted)",
    style.LINE: "var(--line)",
    style.MARKED: "var(--marked)",
    style.INTERVENTION: "var(--intervention)",
    style.CONTROL: "var(--control)",
}


def inline_svg(chart: altair.TopLevelMixin) -> str:
    """The chart as an `<svg>` element, with colours of the style sheet and a title per point."""
    root = _drawn(chart)
    for element in root.iter():
        _recolour(element)
    root.set("preserveAspectRatio", "xMinYMin meet")
    return ElementTree.tostring(root, encoding="unicode")


def svg_file(chart: altair.TopLevelMixin) -> str:
    """The chart as an SVG file of its own, with a title per point, too."""
    return ElementTree.tostring(_drawn(chart), encoding="unicode") + "\n"


def _drawn(chart: altair.TopLevelMixin) -> ElementTree.Element:
    import vl_convert

    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(chart.to_json()))
    for element in list(root.iter()):
        _tell(element)
    ElementTree.register_namespace("", SVG)
    return root


def _recolour(element: ElementTree.Element) -> None:
    for attribute in ("fill", "stroke"):
        colour = COLOURS.get(element.get(attribute, ""))
        if colour:
            element.set(attribute, colour)


def _tell(element: ElementTree.Element) -> None:
    """Browsers show a `<title>` when the pointer rests on a mark; Vega writes labels only."""
    said = element.get("aria-label")
    if said and element.get("aria-roledescription") == "point":
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = said
        element.insert(0, title)
