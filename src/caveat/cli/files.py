"""Commands that write a study's files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caveat.cli.app import Folder, StudyPath, Version
from caveat.cli.console import save_figure, warn


def report(
    study: StudyPath,
    version: Version = None,
    figure: Annotated[
        Path | None, typer.Option(help="Save the main figure too, as .svg or .png.")
    ] = None,
) -> None:
    """Write the study's report.html; for an exported file, an HTML file beside it."""
    from caveat.study.export import opened

    tables = opened(study, version, warn)
    if figure is not None:
        from caveat.report.figures.leakage import leakage_figure

        save_figure(leakage_figure(tables.report_data()), figure)
    typer.echo(f"report: {tables.report()}")


def export(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="A .parquet file.", show_default=False)],
    version: Version = None,
) -> None:
    """Write a study's answers, verdicts and RL metrics to one file, which has all results."""
    from caveat.study.export import export as write
    from caveat.study.study import Study

    path = write(Study(folder, version, warn), file)
    typer.echo(f"exported: {path} ({path.stat().st_size / 1e6:.1f} MB)")
