"""The command that prints published results of others, and one's own beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caveat.cli.app import AsJson
from caveat.cli.console import one_form, print_tables, warn
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from caveat.published.results import Result
    from caveat.study.study import Study


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
    elicitation: Annotated[
        Path | None, typer.Option(help="Plot leakage against elicitation, as .svg.")
    ] = None,
    study: Annotated[
        list[Path] | None, typer.Option(help="Folder of a study to add to a figure.")
    ] = None,
    add: Annotated[
        list[Path] | None,
        typer.Option(help="A file of rates, as of import rates, to set beside them."),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="In added files: our name of a column=theirs.")
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="In added files: their name of an arm=ours.")
    ] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="In added files: their name of a context=ours.")
    ] = None,
    scale: Annotated[
        float, typer.Option(min=1e-9, help="In added files, what a rate of 1 is: 100 for per cent.")
    ] = 1.0,
) -> None:
    """Print rates that others published, and the leakage that follows from them."""
    from caveat.importers.options import table_options
    from caveat.published.results import chosen, own, published
    from caveat.report.tables.published import KEY, published_summaries

    one_form(json=as_json, figure=figure, elicitation=elicitation)
    plotted = figure is not None or elicitation is not None
    with_own = plotted or evidence == "own"
    results = chosen((*published(), *own()) if with_own else published(),
                     phenomenon, model, evidence)  # fmt: skip
    options = table_options(column or (), arm or (), context or (), scale=scale)
    results = (*_added(add or [], options), *results)
    if plotted:
        _save(results, study or [], figure, elicitation)
    elif study:
        raise CaveatError(f"--study '{study[0]}' goes on a figure; name one with --figure")
    elif as_json:
        records = [result.record() for result in results]
        typer.echo(json.dumps(records, indent=1, allow_nan=False))
    else:
        print_tables(published_summaries(results), markdown=False)
        typer.echo(KEY)


def _added(files: list[Path], options: object) -> list[Result]:
    from caveat.published.added import added

    results: list[Result] = []
    for file in files:
        rows, notes = added(file, options)  # type: ignore[arg-type]
        results += rows
        for note in notes:
            warn(note)
    return results


def _save(
    results: tuple[Result, ...], folders: list[Path], figure: Path | None, elicitation: Path | None
) -> None:
    from caveat.report.figures.published import study_points
    from caveat.report.figures.published_elicitation import study_elicited
    from caveat.report.tables.published import save_elicitation, save_figure
    from caveat.study.study import Study

    studies: list[Study] = [Study(folder, say=warn) for folder in folders]
    if figure is not None:
        points = [point for study in studies for point in study_points(study.leakage(), study.name)]
        save_figure(results, points, figure)
        typer.echo(f"figure: {figure}")
    if elicitation is not None:
        elicited = [
            point
            for study in studies
            for point in study_elicited(study.leakage(), study.caveat_checks(), study.name)
        ]
        save_elicitation(results, elicited, elicitation)
        typer.echo(f"figure: {elicitation}")
