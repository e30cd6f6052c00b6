"""Plots that are written as SVG directly: Vega takes a second to start.

Vega plots what has axes of its own (the ladder, published results). Lanes and curves are plain
enough to be written here, which also lets their names link to sections of the page.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from caveat.report.figures.theme import FONT, INK, LETTER, STYLE_COLOURS, SVG

Element = ElementTree.Element
NOT_IN_XML = {code: None for code in range(32) if code not in (9, 10, 13)} | {
    code: "\ufffd" for code in range(0xD800, 0xE000)
}
"""Characters that XML cannot hold: control characters, and lone surrogates."""


@dataclass(frozen=True)
class Plot:
    """A plot and the values that it shows."""

    root: Element
    """With colours of the light theme."""
    rows: Sequence[Mapping[str, Any]]
    """One mapping a plotted value; all have the same keys."""

    def inline(self) -> str:
        """As an element of a page: its colours are those of the style sheet."""
        copy = ElementTree.fromstring(ElementTree.tostring(self.root))
        for element in copy.iter():
            for attribute in ("fill", "stroke"):
                colour = STYLE_COLOURS.get(element.get(attribute, ""))
                if colour:
                    element.set(attribute, colour)
        return _written(copy)

    def file(self) -> str:
        """As a file of its own, on white, without links into the page."""
        copy = ElementTree.fromstring(ElementTree.tostring(self.root))
        for parent in copy.iter():
            for index, child in enumerate(list(parent)):
                if child.tag.endswith("}a"):
                    child.tag = f"{{{SVG}}}g"
                    child.attrib.pop("href", None)
                    parent[index] = child
        background = Element(f"{{{SVG}}}rect", {"width": "100%", "height": "100%", "fill": "#fff"})
        copy.insert(0, background)
        return _written(copy) + "\n"

    def save(self, path: str) -> None:
        """Write a file that ends in .svg or .png."""
        if path.endswith(".svg"):
            Path(path).write_text(self.file(), encoding="utf-8")
            return
        import vl_convert

        Path(path).write_bytes(vl_convert.svg_to_png(self.file(), scale=2))

    def csv(self) -> str:
        """The values as a CSV file; "" without any."""
        return csv_of(self.rows)


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows that have the same keys, as a CSV file; "" without rows."""
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(["" if value is None else value for value in row.values()] for row in rows)
    return text.getvalue()


def _written(root: Element) -> str:
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")


def root(width: float, height: float, label: str) -> Element:
    """An empty plot; `label` says what it shows, for screen readers."""
    return Element(
        f"{{{SVG}}}svg",
        {
            "viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}", "height": f"{height:g}",
            "role": "group", "aria-label": clean(label), "font-family": FONT, "font-size": "13",
            "preserveAspectRatio": "xMinYMin meet",
        },
    )  # fmt: skip


def add(parent: Element, tag: str, content: str = "", **attributes: Any) -> Element:
    """A new element at the end of another; `stroke_width=2` becomes `stroke-width="2"`."""
    written = {
        name.rstrip("_").replace("_", "-"): f"{value:.6g}" if isinstance(value, float) else
        clean(str(value))
        for name, value in attributes.items()
        if value is not None
    }  # fmt: skip
    element = ElementTree.SubElement(parent, f"{{{SVG}}}{tag}", written)
    element.text = clean(content) or None
    return element


def words(parent: Element, x: float, y: float, content: str, **attributes: Any) -> Element:
    """Text whose baseline is at `y`; ink unless `fill` says otherwise."""
    return add(parent, "text", content, **({"x": x, "y": y, "fill": INK} | attributes))


def clean(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return text.translate(NOT_IN_XML)


def fitting(text: str, width: float, size: float = 13) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels."""
    most = max(int(width / (LETTER * size)), 4)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def wrapped(text: str, width: float, size: float = 13) -> list[str]:
    """The text in lines of at most `width` pixels, broken at spaces and behind a plus.

    A longer word is broken anywhere.
    """
    most = max(int(width / (LETTER * size)), 4)
    pieces = re.findall(rf"[^\s+]{{1,{most - 1}}}\+?|\+|\s+", text)
    lines = [""]
    for piece in pieces:
        if lines[-1] and len((lines[-1] + piece).rstrip()) > most:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines]


def wide(text: str, size: float = 13) -> float:
    """About how many pixels a text takes, rather too many."""
    return len(text) * LETTER * size


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values within an axis, about `count` of them."""
    span = high - low
    if not span > 0:
        return [low]
    size = 10.0 ** math.floor(math.log10(span / count))
    size *= next(factor for factor in (1, 2, 5, 10) if size * factor * count >= span * 0.999)
    first = math.ceil(low / size - 1e-9)
    return [index * size for index in range(first, math.floor(high / size + 1e-9) + 1)]
