"""Commands that print a study's figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caveat.cli.app import AsJson, AsMarkdown, Place, Version
from caveat.cli.console import one_form, print_tables, save_picture, warn
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from caveat.study.tables import StudyTables


def leakage(
    study: Place,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    by: Annotated[str | None, typer.Option(help="kind: tell the kinds of questions apart.")] = None,
    version: Version = None,
) -> None:
    """Print rates and leakage with their intervals."""
    from caveat.study.export import opened

    one_form(json=as_json, markdown=markdown)
    frame = opened(study, version, warn).leakage(by)
    if as_json:
        from caveat.analysis import records

        typer.echo(json.dumps(records(frame), indent=1, allow_nan=False))
    elif markdown:
        from caveat.report.tables.summary import markdown as tables

        typer.echo(tables(frame))
    else:
        from caveat.cli.console import console, show_tables

        show_tables(console(), frame)


def transfer(
    study: Place,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    picture: Annotated[
        Path | None, typer.Option(help="Save the matrix as a picture, as .svg or .png.")
    ] = None,
    version: Version = None,
) -> None:
    """Print what each intervention changes in each setting, and how alike settings are in that."""
    from caveat.study.export import opened

    one_form(json=as_json, markdown=markdown, picture=picture)
    figures = opened(study, version, warn)
    figures.check_transfer()
    if picture is not None:
        from caveat.report.figures.transfer import matrix_picture

        save_picture(matrix_picture(figures.transfer()), picture)
    elif as_json:
        typer.echo(json.dumps(figures.transfer_records(), indent=1, allow_nan=False))
    else:
        _print_transfer(figures, markdown)


def _print_transfer(figures: StudyTables, markdown: bool) -> None:
    from caveat.analysis import forgetting
    from caveat.report.tables.transfer import transfer_summaries

    matrix = figures.transfer()
    agreement = (figures.transfer_correlations(), figures.transfer_reliability())
    print_tables(transfer_summaries(matrix, *agreement, forgetting(matrix)), markdown)


def ladder(
    study: Place,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    whole: Annotated[bool, typer.Option("--all", help="Print every change.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Save the rungs as a picture, as .svg or .png.")
    ] = None,
    dial: Annotated[
        Path | None, typer.Option(help="Save leakage against elicitation as a picture.")
    ] = None,
    version: Version = None,
) -> None:
    """Print which factor carries the difference in leakage between settings, and the dial."""
    from caveat.study.export import opened

    drawn = {"dial": dial} if picture is None else {"picture": picture}
    one_form(json=as_json, markdown=markdown, **drawn)
    figures = opened(study, version, warn)
    figures.check_ladder()
    if picture is not None or dial is not None:
        _draw_ladder(figures, picture, dial)
    elif as_json:
        typer.echo(json.dumps(figures.ladder_records(), indent=1, allow_nan=False))
    else:
        from caveat.report.tables.ladder import ladder_summaries

        print_tables(ladder_summaries(figures.ladder(), whole), markdown)


def rl(
    study: Place,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    picture: Annotated[
        Path | None, typer.Option(help="Save learning curves as a picture, as .svg or .png.")
    ] = None,
    version: Version = None,
) -> None:
    """Print how policies learned along their updates, and what leaks of what they learned."""
    from caveat.study.export import opened

    one_form(json=as_json, markdown=markdown, picture=picture)
    figures = opened(study, version, warn)
    policies = figures.policies()
    if policies.empty:
        raise CaveatError(
            f"{study}: nothing was practised here; give a setting `practice` (docs/rl.md)"
        )
    if picture is not None:
        from caveat.report.figures.learning_curves import rl_figure

        save_picture(rl_figure(policies), picture)
    elif as_json:
        from caveat.analysis.json_records import plain

        told = {"updates": plain(policies), "leakage": plain(figures.rl())}
        typer.echo(json.dumps(told, indent=1, allow_nan=False))
    else:
        from caveat.analysis.rl import learning
        from caveat.report.tables.rl import rl_summaries
        from caveat.report.tables.rl_leakage import rl_leakage_summaries

        learned = rl_summaries(learning(policies))
        print_tables([*learned, *rl_leakage_summaries(figures.rl())], markdown)


def _draw_ladder(figures: StudyTables, picture: Path | None, dial: Path | None) -> None:
    from caveat.report.figures.elicitation import dial_picture
    from caveat.report.figures.ladder import ladder_picture

    ladder = figures.ladder()
    if picture is not None:
        save_picture(ladder_picture(ladder), picture)
    if dial is not None:
        drawn = dial_picture(ladder)
        if drawn is None:
            raise CaveatError(
                f"--dial '{dial}': nothing to draw: no behaviour of {figures.source} has settings "
                "that differ in elicitation"
            )
        save_picture(drawn, dial, "--dial")
