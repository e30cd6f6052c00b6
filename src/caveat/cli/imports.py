"""The command that imports other people's results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caveat.cli.app import Out
from caveat.cli.console import warn
from caveat.errors import CaveatError


def import_(
    source: Annotated[
        str, typer.Argument(help="negation-neglect, table, rates or inspect.", show_default=False)
    ],
    paths: Annotated[
        list[Path],
        typer.Argument(help="A folder or files; FILE=ARM names its arm.", show_default=False),
    ],
    out: Out = None,
    model: Annotated[
        str | None, typer.Option(help="The model's name, where the data lack it.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Our name of a column=the file's name of it.")
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(help="The file's name of an arm=ours; without = the arm of all rows."),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(help="The file's name of a context=ours; without = the context of all rows."),
    ] = None,
    setting: Annotated[str | None, typer.Option(help="The setting of all rows.")] = None,
    verdict: Annotated[
        str | None,
        typer.Option(help="A column of verdicts, or what is a yes, such as 'alignment<50'."),
    ] = None,
    valid: Annotated[
        str | None, typer.Option(help="What a valid reply has, such as 'coherent>=50'.")
    ] = None,
    invalid: Annotated[
        list[str] | None, typer.Option(help="A value that counts as invalid.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="A YAML file with these options, for the source inspect.")
    ] = None,
    number_samples: Annotated[
        bool, typer.Option("--number-samples", help="Number repeated replies to a question.")
    ] = False,
    scale: Annotated[
        float, typer.Option(min=1e-9, help="What a rate of 1 is in the file: 100 for per cent.")
    ] = 1.0,
    replies: Annotated[
        int | None, typer.Option(min=1, help="Replies behind a rate that does not say.")
    ] = None,
) -> None:
    """Import other people's verdicts, or rates, as a finished study (docs/import.md)."""
    from caveat.importers import import_study, log_options, table_options

    options = table_options(
        column or (), arm or (), context or (), setting=setting, verdict=verdict, valid=valid,
        invalid=tuple(invalid or ()), number_samples=number_samples, scale=scale,
        replies=replies,
    )  # fmt: skip
    if source == "inspect":
        options = log_options(mapping, options)
    elif mapping is not None:
        raise CaveatError(f"--mapping {mapping}: is for the source inspect; leave it out")
    study = import_study(source, paths, out, model, warn, options)
    _, answers = study.judged()
    settings = len(study.about["wanted"])
    rates = study.about.get("rates")
    content = f"answers: {answers:,}" if rates is None else f"rates: {len(rates):,}"
    typer.echo(f"study: {study.folder}; {content}; settings: {settings}")
