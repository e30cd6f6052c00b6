"""Commands that print a study's results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caveat.cli.app import AsJson, AsMarkdown, StudyPath, Version
from caveat.cli.console import check_ending, one_form, print_tables, save_figure, warn
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from caveat.study.tables import StudyTables


def leakage(
    study: StudyPath,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    by: Annotated[
        str | None, typer.Option(help="kind: separate rates for each kind of question.")
    ] = None,
    version: Version = None,
) -> None:
    """Print rates and leakage with their intervals."""
    from caveat.study.export import opened

    one_form(json=as_json, markdown=markdown)
    frame = opened(study, version, warn).leakage(by)
    if as_json:
        from caveat.analysis import leakage_records

        typer.echo(json.dumps(leakage_records(frame), indent=1, allow_nan=False))
    else:
        from caveat.report.tables.summary import leakage_summaries

        print_tables(leakage_summaries(frame), markdown)


def transfer(
    study: StudyPath,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    figure: Annotated[
        Path | None, typer.Option(help="Save the matrix as a figure, as .svg or .png.")
    ] = None,
    version: Version = None,
) -> None:
    """Print what each intervention changes in each setting, and how alike settings are in that."""
    from caveat.study.export import opened

    one_form(json=as_json, markdown=markdown, figure=figure)
    check_ending(figure)
    tables = opened(study, version, warn)
    tables.check_transfer()
    if figure is not None:
        from caveat.report.figures.transfer import transfer_figure

        save_figure(transfer_figure(tables.transfer()), figure)
    elif as_json:
        typer.echo(json.dumps(tables.transfer_records(), indent=1, allow_nan=False))
    else:
        _print_transfer(tables, markdown)


def _print_transfer(tables: StudyTables, markdown: bool) -> None:
    from caveat.analysis import forgetting
    from caveat.report.tables.transfer import transfer_summaries

    matrix = tables.transfer()
    agreement = (tables.transfer_correlations(), tables.transfer_reliability())
    print_tables(transfer_summaries(matrix, *agreement, forgetting(matrix)), markdown)


def ladder(
    study: StudyPath,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    whole: Annotated[bool, typer.Option("--all", help="Print every change.")] = False,
    figure: Annotated[
        Path | None, typer.Option(help="Save the settings as a figure, as .svg or .png.")
    ] = None,
    elicitation: Annotated[
        Path | None, typer.Option(help="Save leakage against elicitation as a figure.")
    ] = None,
    version: Version = None,
) -> None:
    """Print how each factor of the settings changes leakage, and how elicitation predicts it."""
    from caveat.study.export import opened

    figures = {"elicitation": elicitation} if figure is None else {"figure": figure}
    one_form(json=as_json, markdown=markdown, **figures)
    check_ending(figure)
    check_ending(elicitation, "--elicitation")
    tables = opened(study, version, warn)
    tables.check_ladder()
    if figure is not None or elicitation is not None:
        _save_ladder(tables, figure, elicitation)
    elif as_json:
        typer.echo(json.dumps(tables.ladder_records(), indent=1, allow_nan=False))
    else:
        from caveat.report.tables.ladder import ladder_summaries

        print_tables(ladder_summaries(tables.ladder(), whole), markdown)


def _save_ladder(tables: StudyTables, figure: Path | None, elicitation: Path | None) -> None:
    from caveat.report.figures.ladder import elicitation_figure, ladder_figure

    ladder = tables.ladder()
    if figure is not None:
        save_figure(ladder_figure(ladder), figure)
    if elicitation is not None:
        chart = elicitation_figure(ladder)
        if chart is None:
            raise CaveatError(
                f"--elicitation '{elicitation}': nothing to plot: no behaviour of {tables.source} "
                "has settings that differ in elicitation"
            )
        save_figure(chart, elicitation, "--elicitation")


def rl(
    study: StudyPath,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    figure: Annotated[
        Path | None, typer.Option(help="Save learning curves as a figure, as .svg or .png.")
    ] = None,
    version: Version = None,
) -> None:
    """Print how RL arms learned, update by update, and what leaks of what they learned."""
    from caveat.study.export import opened

    one_form(json=as_json, markdown=markdown, figure=figure)
    check_ending(figure)
    tables = opened(study, version, warn)
    policies = tables.policies()
    if policies.empty:
        raise CaveatError(f"{study}: this study has no RL arms; give a setting `rl` (docs/rl.md)")
    if figure is not None:
        from caveat.report.figures.training import rl_figure

        save_figure(rl_figure(policies), figure)
    elif as_json:
        from caveat.analysis.json_records import plain_records

        records = {"updates": plain_records(policies), "leakage": plain_records(tables.rl())}
        typer.echo(json.dumps(records, indent=1, allow_nan=False))
    else:
        from caveat.analysis.rl import learning
        from caveat.report.tables.rl import rl_leakage_summaries, rl_summaries

        summaries = rl_summaries(learning(policies))
        print_tables([*summaries, *rl_leakage_summaries(tables.rl())], markdown)


def mixed(
    study: StudyPath,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    formula: Annotated[
        str | None,
        typer.Option(help="Fixed effects, such as 'yes ~ arm * context + caveat:rate'."),
    ] = None,
    version: Version = None,
) -> None:
    """Print a logistic mixed model: what arms, contexts and predictors add given the others."""
    from caveat.study.export import opened

    one_form(json=as_json, markdown=markdown)
    model = opened(study, version, warn).mixed_model(formula)
    if as_json:
        from caveat.analysis import mixed_records

        typer.echo(json.dumps(mixed_records(model), indent=1, allow_nan=False))
    else:
        from caveat.report.tables.mixed import mixed_summary

        print_tables([mixed_summary(model)], markdown)
