"""What `caveat published` prints and saves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from caveat.errors import CaveatError
from caveat.published.results import Result
from caveat.report.axis_points import Point
from caveat.report.listing import COLUMNS, KEY, Listing, listings

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

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
    from caveat.report.axis import axis
    from caveat.report.svg import svg_file

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

    from caveat.report.axis import axis
    from caveat.report.svg import inline_svg

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
