"""Published results; their page.

The published results as tables: for the terminal, and for a page of their own.

What `caveat published` prints and saves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from caveat.errors import CaveatError
from caveat.published.results import Rate, Result
from caveat.report.figures.published import Point
from caveat.report.formatting import ABSENT, Figure

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


COLUMNS = (
    "setting", "model", "caveat", "base", "bare", "marked", "exact", "near miss", "leakage",
    "source",
)  # fmt: skip
KEY = "≤ upper bound, ~ read off a figure or text. Leakage: (marked - base) / (bare - base)."


@dataclass(frozen=True)
class Listed:
    """A result as the cells of a table."""

    cells: tuple[str, ...]
    """In the order of `COLUMNS`."""
    why: str
    """Why there is no leakage; "" where there is."""
    caution: str


@dataclass(frozen=True)
class Listing:
    """The results of one phenomenon."""

    phenomenon: str
    rows: tuple[Listed, ...]


def listings(results: Sequence[Result]) -> list[Listing]:
    """One table a phenomenon, in the order of the results."""
    names = dict.fromkeys(each.phenomenon for each in results)
    return [
        Listing(name, tuple(_listed(each) for each in results if each.phenomenon == name))
        for name in names
    ]


def _listed(result: Result) -> Listed:
    rates = [figure(result, name) for name in ("base", "bare", "marked", "exact", "near_miss")]
    on_top = f" + {result.intervention}" if result.intervention else ""
    near = f"near miss: {result.near_miss_kind}" if result.near_miss_kind else ""
    low, high = result.interval or (None, None)
    cells = (
        result.setting,
        result.model,
        result.caveat + on_top,
        *rates,
        str(Figure.of(result.leakage, low, high)),
        f"{result.source}, {result.locator} ({result.evidence})",
    )
    told = "; ".join(part for part in (near, result.note) if part)
    return Listed(cells, result.undefined or "", told)


def figure(result: Result, name: Rate) -> str:
    """A rate as it was reported, with a sign where it is not exact."""
    value = getattr(result, name)
    if value is None:
        return ABSENT
    sign = ("≤ " if name in result.upper else "") + ("~ " if name in result.read_off else "")
    return f"{sign}{value:g}"


ENDINGS = (".svg", ".html")


def as_json(results: Sequence[Result]) -> str:
    """The results with their leakage, as a JSON list."""
    return json.dumps([each.record() for each in results], indent=1, allow_nan=False)


def as_tables(results: Sequence[Result]) -> Group:
    """A table a phenomenon, and the key to its signs."""
    from rich.console import Group

    return Group(*(_table(listing) for listing in listings(results)), KEY)


def _table(listing: Listing) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=listing.phenomenon, title_justify="left", title_style="bold")
    for place, column in enumerate(COLUMNS):
        figure = 3 <= place < len(COLUMNS) - 1
        table.add_column(column, justify="right" if figure else "left", overflow="fold")
    for row in listing.rows:
        *cells, leakage, source = row.cells
        leakage = f"undefined: {row.why}" if row.why else leakage
        source = f"{source}: {row.caution}" if row.caution else source
        table.add_row(*(Text(cell) for cell in (*cells, leakage, source)))
    return table


def save_picture(results: Sequence[Result], points: Sequence[Point], path: Path) -> None:
    """Save the picture as an SVG file, or with its tables as a page that needs nothing else.

    Raises CaveatError for another ending, and where the file cannot be written.
    """
    from caveat.report.figures.published import axis
    from caveat.report.figures.theme import svg_file

    if path.suffix not in ENDINGS:
        raise CaveatError(f"--picture '{path}': its name must end in {' or '.join(ENDINGS)}")
    text = svg_file(axis(results, points)) if path.suffix == ".svg" else page(results, points)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CaveatError(f"--picture '{path}' cannot be written: {error.strerror}") from error


def page(results: Sequence[Result], points: Sequence[Point]) -> str:
    """Picture and tables as one page of HTML, in the style of the report."""
    from importlib.resources import files

    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    from caveat.report.figures.published import axis
    from caveat.report.figures.theme import inline_svg

    environment = Environment(
        loader=PackageLoader("caveat.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style = (files("caveat.report") / "templates" / "report.css").read_text("utf-8")
    return environment.get_template("published.html.j2").render(
        style=Markup(style),
        picture=Markup(inline_svg(axis(results, points, background="transparent"))),
        listings=listings(results),
        columns=COLUMNS,
        key=KEY,
    )
