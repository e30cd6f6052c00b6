"""What commands print and save."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caveat.report.summary import Summary


def one_form(**given: object) -> None:
    """Raise CaveatError where output is wanted in more forms than one, by the options' names."""
    wanted = [f"--{name}" for name, value in given.items() if value]
    if len(wanted) > 1:
        raise CaveatError(f"{' and '.join(wanted)}: one form at a time; drop all but one")


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
