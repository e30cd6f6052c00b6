"""The command that prints what others published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caveat.cli.app import AsJson
from caveat.cli.console import one_form, warn
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
    picture: Annotated[
        Path | None,
        typer.Option(help="Save them, and our own, on one leakage axis, as .svg or .html."),
    ] = None,
    study: Annotated[
        list[Path] | None, typer.Option(help="Folder of a study to put on the picture, too.")
    ] = None,
) -> None:
    """Print the rates that others published, with the leakage that follows from them."""
    from caveat.cli.console import console
    from caveat.published.results import chosen, own, published
    from caveat.report.tables import published as showing

    one_form(json=as_json, picture=picture)
    every = published() if picture is None and evidence != "own" else (*published(), *own())
    results = chosen(every, phenomenon, model, evidence)
    if picture is not None:
        showing.save_picture(results, _points(study or []), picture)
        typer.echo(f"picture: {picture}")
    elif study:
        raise CaveatError(f"--study '{study[0]}' goes on a picture; name one with --picture")
    elif as_json:
        typer.echo(showing.as_json(results))
    else:
        console().print(showing.as_tables(results), soft_wrap=False)


def _points(folders: list[Path]) -> list[Point]:
    from caveat.report.figures.published import study_points
    from caveat.study.study import Study

    studies = [Study(folder, say=warn) for folder in folders]
    return [point for each in studies for point in study_points(each.leakage(), each.name)]
