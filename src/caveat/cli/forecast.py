"""The command that predicts leakage, and scores predictions against studies that were run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caveat.cli.app import AsJson, AsMarkdown, Device, Out, Sets, with_fields
from caveat.cli.console import one_form, print_tables, warn
from caveat.cli.law import fit_law, register, score_registered
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from pandas import DataFrame


def scored(
    forecasts: Sequence[dict[str, Any]],
    studies: Sequence[Path],
    say: Callable[[str], None] = warn,
) -> tuple[DataFrame, DataFrame]:
    """The forecasts beside what the studies measured, and their scores: see `caveat.analysis`.

    Args:
        forecasts: Records, of one recipe or several.
        studies: Folders of studies, or files that `export` wrote.

    Raises CaveatError for a path without study, or where no forecast was measured.
    """
    import pandas as pd

    from caveat import analysis
    from caveat.study.export import opened

    leakages = [opened(path, say=say).leakage() for path in studies]
    cells = analysis.forecast_cells(forecasts, pd.concat(leakages, ignore_index=True))
    if (cells["left_out"] == "not measured").all():
        raise CaveatError(
            f"none of the {len(cells)} forecasts was measured in {', '.join(map(str, studies))}: "
            "setting, model, dose and arm must be the same; run the recipe that was forecast"
        )
    return cells, analysis.forecast_scores(cells)


def forecast(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe file, or a shipped recipe's name.")
    ] = None,
    out: Out = None,
    sets: Sets = None,
    device: Device = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Rows read of each kind (default: 16).")
    ] = None,
    earlier: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Earlier forecasts: forecast.json, or a study's folder."),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Study folder, or file of caveat export, to score them against."),
    ] = None,
    figures: Annotated[
        str | None,
        typer.Option(
            help="Only these, such as elicitation,short_horizon: to compute, or of a law of --fit."
        ),
    ] = None,
    law: Annotated[
        Path | None, typer.Option(help="Predict leakage by this law, a file of --fit.")
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option(help="Fit a law to the forecasts and --against, and write it here."),
    ] = None,
    registration: Annotated[
        Path | None,
        typer.Option("--register", help="Write the predictions of --law here, before any run."),
    ] = None,
    registered: Annotated[
        Path | None,
        typer.Option(help="Score predictions of --register against studies, and nothing else."),
    ] = None,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
) -> None:
    """Predict leakage of marked arms from the base model, before training."""
    one_form(json=as_json, markdown=markdown)
    if registered is not None:
        if recipe or earlier or law or fit or registration:
            raise CaveatError("--registered goes with --against alone; drop the other options")
        score_registered(registered, against or [], as_json, markdown)
        return
    names = tuple(name.strip() for name in figures.split(",")) if figures else ()
    # without a recipe the names are those of the law to fit
    computed = () if fit is not None and recipe is None else names
    records = _forecasts(recipe, out, with_fields(sets, device=device), rows, computed)
    if registration is not None:
        register(registration, recipe, sets or [], out, earlier or [], law)
    for path in earlier or []:
        from caveat.forecast.records import saved

        records += saved(path)
    if not records:
        raise CaveatError("no recipe to forecast; name one, or earlier forecasts with --from")
    if law is not None:
        from caveat.forecast.registration import predictions, read_law

        records = predictions(records, read_law(law))
    if fit is not None:
        fit_law(fit, records, earlier or [], against or [], names)
    _show_forecasts(records, against or [], as_json, markdown)


def _forecasts(
    recipe: str | None,
    out: Path | None,
    sets: list[str],
    rows: int | None,
    figures: tuple[str, ...],
) -> list[dict[str, Any]]:
    """The records of a recipe, none without one. Raises CaveatError for options without one."""
    if recipe is None:
        if out is not None or sets or rows is not None or figures:
            raise CaveatError(
                "--out, --set, --device, --rows and --figures go with a recipe; name one"
            )
        return []
    from caveat.cli.console import TerminalProgress
    from caveat.forecast.records import FIGURES
    from caveat.forecast.run import ROWS, forecast

    with TerminalProgress(error=True) as progress:
        forecasts = forecast(recipe, out, progress, sets, rows or ROWS, figures=figures or FIGURES)
    return [entry.record() for entry in forecasts]


def _show_forecasts(
    records: list[dict[str, Any]],
    against: list[Path],
    as_json: bool,
    markdown: bool,
) -> None:
    from caveat.report.tables.forecast import forecast_summaries, score_summaries

    output: Any = records
    tables = []
    if against:
        from caveat.analysis import forecast_records

        cells, scores = scored(records, against, warn)
        output = forecast_records(records, cells, scores)
        records, tables = output["forecasts"], score_summaries(scores)
    if as_json:
        typer.echo(json.dumps(output, indent=1, allow_nan=False))
    else:
        print_tables([*forecast_summaries(records), *tables], markdown)
