"""Commands that write a study's files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caveat.cli.app import StudyPath, Version
from caveat.cli.console import save_figure, warn
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from caveat.study.tables import StudyTables

INSPECT = "inspect"
"""In place of a file: logs of Inspect."""


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
    study: StudyPath,
    target: Annotated[
        str,
        typer.Argument(
            help="A .parquet file, or inspect.", show_default=False, metavar="FILE|inspect"
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for the logs of inspect.")] = None,
    version: Version = None,
) -> None:
    """Write a study's answers, verdicts and RL metrics to one file, or its answers as Inspect logs.

    The file has all results. The logs are one per setting, arm, seed and context: open them with
    inspect view.
    """
    from caveat.study.export import export as write
    from caveat.study.export import opened

    tables = opened(study, version, warn)
    if target == INSPECT:
        _export_logs(tables, out)
        return
    if out is not None:
        raise CaveatError(
            f"--out {out}: is for the logs of inspect; leave it out, or write inspect for {target}"
        )
    path = write(tables, Path(target))
    typer.echo(f"exported: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def _export_logs(tables: StudyTables, out: Path | None) -> None:
    from caveat.study.inspect_export import export_logs

    if out is None:
        raise CaveatError("export inspect: name a folder for the logs with --out")
    paths = export_logs(tables, out)
    size = sum(path.stat().st_size for path in paths) / 1e6
    typer.echo(f"exported: {len(paths)} logs in {out} ({size:.1f} MB)")
    typer.echo(f"open them with: inspect view --log-dir {out}")
