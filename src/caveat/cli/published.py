"""The command that prints published results of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caveat.cli.app import AsJson
from caveat.cli.console import one_form, print_tables, warn
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from caveat.report.figures.published import Point


def published(
    phenomenon: Annotated[str | None, typer.Option(help="Part of a phenomenon's name.")] = None,
    model: Annotated[str | None, typer.Option(help="Part of a model's name.")] = None,
    evidence: Annotated[
        str | None, typer.Option(help="primary, secondary, independent, or own.")
    ] = None,
    as_json: AsJson = False,
    figure: Annotated[
        Path | None,
        typer.Option(help="Plot them, and our own, on one leakage axis, as .svg or .html."),
    ] = None,
    study: Annotated[
        list[Path] | None, typer.Option(help="Folder of a study to add to the figure.")
    ] = None,
) -> None:
    """Print rates that others published, and the leakage that follows from them."""
    from caveat.published.results import chosen, own, published
    from caveat.report.tables.published import KEY, published_summaries, save_figure

    one_form(json=as_json, figure=figure)
    with_own = figure is not None or evidence == "own"
    results = chosen((*published(), *own()) if with_own else published(),
                     phenomenon, model, evidence)  # fmt: skip
    if figure is not None:
        save_figure(results, _points(study or []), figure)
        typer.echo(f"figure: {figure}")
    elif study:
        raise CaveatError(f"--study '{study[0]}' goes on a figure; name one with --figure")
    elif as_json:
        records = [result.record() for result in results]
        typer.echo(json.dumps(records, indent=1, allow_nan=False))
    else:
        print_tables(published_summaries(results), markdown=False)
        typer.echo(KEY)


def _points(folders: list[Path]) -> list[Point]:
    from caveat.report.figures.published import study_points
    from caveat.study.study import Study

    studies = [Study(folder, say=warn) for folder in folders]
    return [point for study in studies for point in study_points(study.leakage(), study.name)]
