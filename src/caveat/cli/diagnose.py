"""The command that looks inside the models of a finished study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caveat.cli.app import AsJson, AsMarkdown, Device, Version
from caveat.cli.console import one_form, print_tables, warn
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from pandas import DataFrame


def diagnose(
    studies: Annotated[
        list[Path], typer.Argument(help="The study's folder; with --score, several.")
    ],
    setting: Annotated[
        list[str] | None, typer.Option(help="A setting, such as 'capitals x instruction'; all.")
    ] = None,
    view: Annotated[
        list[str] | None,
        typer.Option(help="One of the views (default: those that only read)."),
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="An arm to look at beside base and bare; all.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="The first seeds; 5 at most.")] = None,
    questions: Annotated[
        int, typer.Option(min=2, help="Questions, and rows, of a setting that are read.")
    ] = 24,
    layers: Annotated[
        str | None, typer.Option(help="Layers whose states are read, such as 4,12,20; all.")
    ] = None,
    off: Annotated[
        list[str] | None,
        typer.Option(help="Of switches and swaps: layers (12-15), or modules (q_proj)."),
    ] = None,
    score: Annotated[
        bool,
        typer.Option("--score", help="Score what was diagnosed against leakage; load no model."),
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(help="With --score: write the tables into this folder, too.")
    ] = None,
    later: Annotated[
        bool, typer.Option("--later", help="With --score: of a setting in two, take the last.")
    ] = False,
    device: Device = None,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    version: Version = None,
) -> None:
    """Look inside the models of a finished study: weights, outputs, hidden states."""
    from caveat.cli.console import TerminalProgress
    from caveat.diagnostics.run import diagnose as compute
    from caveat.diagnostics.subjects import Limits
    from caveat.study.export import opened

    one_form(json=as_json, markdown=markdown)
    if keep is not None and not score:
        raise CaveatError(f"--keep {keep}: tables are kept with --score; add it")
    if later and not score:
        raise CaveatError("--later: of settings that are scored; add --score")
    if score:
        from caveat.diagnostics.collected import keep as write
        from caveat.diagnostics.collected import score_studies

        tables = score_studies(studies, warn, later, version)
        if keep is not None:
            write(keep, tables)
        return _show(tables, as_json, markdown)
    if len(studies) > 1:
        raise CaveatError(
            f"{' '.join(map(str, studies))}: one study at a time is looked into; --score takes "
            "several that were"
        )
    parts = tuple(off) if off else None
    limits = Limits(tuple(arm) if arm else None, seeds, questions, parts, _layers(layers))
    with TerminalProgress(error=True) as progress:
        tables = compute(
            opened(studies[0], version, warn),
            setting or None,
            view or None,
            limits,
            progress,
            device=device,
        )
    _show(tables, as_json, markdown)


def _show(tables: dict[str, DataFrame], as_json: bool, markdown: bool) -> None:
    if as_json:
        from caveat.analysis.json_records import plain_records

        records = {name: plain_records(table) for name, table in tables.items()}
        typer.echo(json.dumps(records, indent=1, allow_nan=False))
    else:
        from caveat.report.tables.diagnostics import diagnostic_summaries

        print_tables(diagnostic_summaries(tables), markdown)


def _layers(text: str | None) -> tuple[int, ...] | None:
    """Numbers between commas. Raises CaveatError for what is none."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise CaveatError(
            f"--layers {text!r}: write numbers between commas, such as 4,12,20"
        ) from None
