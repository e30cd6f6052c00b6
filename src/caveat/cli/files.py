"""Commands that write a study's files, or take others' in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caveat.cli.app import Folder, Out, Place, Version
from caveat.cli.console import save_picture, warn


def report(
    study: Place,
    version: Version = None,
    picture: Annotated[
        Path | None, typer.Option(help="Save the main picture too, as .svg or .png.")
    ] = None,
) -> None:
    """Write the study's report.html anew; of an exported file, an HTML file beside it."""
    from caveat.study.export import opened

    figures = opened(study, version, warn)
    if picture is not None:
        from caveat.report.figures.leakage import picture as drawn

        save_picture(drawn(figures.report_data()), picture)
    typer.echo(f"report: {figures.report()}")


def export(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="A .parquet file.", show_default=False)],
    version: Version = None,
) -> None:
    """Write a study's replies, verdicts and updates of policies to one file, for every figure."""
    from caveat.study.export import export as write
    from caveat.study.study import Study

    path = write(Study(folder, version, warn), file)
    typer.echo(f"exported: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def import_(
    source: Annotated[str, typer.Argument(help="negation-neglect or table.", show_default=False)],
    path: Annotated[Path, typer.Argument(help="A folder or file.", show_default=False)],
    out: Out = None,
    model: Annotated[
        str | None, typer.Option(help="The model's name, where the data do not tell it.")
    ] = None,
) -> None:
    """Take other people's verdicts over as a finished study."""
    from caveat.importers import import_study

    study = import_study(source, path, out, model, warn)
    _, replies = study.judged()
    settings = len(study.about["wanted"])
    typer.echo(f"study: {study.folder}; replies: {replies:,}; settings: {settings}")
