"""What commands print and save."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caveat.report.summary import Summary


def print_tables(tables: Iterable[Summary], markdown: bool) -> None:
    """Print tables on the terminal, or as markdown."""
    from caveat.report.summary import as_markdown
    from caveat.terminal import console, show_summaries

    if markdown:
        typer.echo(as_markdown(tables))
    else:
        show_summaries(console(), tables)


def save_picture(chart: Any, path: Path, option: str = "--picture") -> None:
    """Save a chart as .svg or .png; `option` is what a mistake is told of.

    Raises CaveatError for another ending, or where it cannot be written.
    """
    if path.suffix not in (".svg", ".png"):
        raise CaveatError(f"{option} '{path}': its name must end in .svg or .png")
    try:
        chart.save(str(path))
    except OSError as error:
        raise CaveatError(f"{option} '{path}' cannot be written: {error.strerror}") from error
    typer.echo(f"picture: {path}")


def warn(message: str) -> None:
    """Say something that is no part of the output."""
    typer.echo(message, err=True)
