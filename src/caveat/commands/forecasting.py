"""The command that foretells leakage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from caveat.commands.app import AsJson, AsMarkdown, Device, Out, Sets, with_fields
from caveat.commands.showing import one_form, print_tables, warn
from caveat.errors import CaveatError


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
        typer.Option("--from", help="Forecasts made before: forecast.json, or a study's folder."),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a study, or a file of caveat export, to score them against."),
    ] = None,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
) -> None:
    """Foretell what marked arms will leak, before any is trained; score that against studies."""
    one_form(json=as_json, markdown=markdown)
    records = _forecasts(recipe, out, with_fields(sets, device=device), rows)
    for place in earlier or []:
        from caveat.study.forecasts import saved

        records += saved(place)
    if not records:
        raise CaveatError("no recipe to forecast; name one, or forecasts made before with --from")
    _show_forecasts(records, against or [], as_json, markdown)


def _forecasts(
    recipe: str | None, out: Path | None, sets: list[str], rows: int | None
) -> list[dict[str, Any]]:
    """The records of a recipe, none without one. Raises CaveatError for options without one."""
    if recipe is None:
        if out is not None or sets or rows is not None:
            raise CaveatError("--out, --set, --device and --rows go with a recipe; name one")
        return []
    from caveat.study.forecast import ROWS, forecast
    from caveat.terminal import TerminalProgress

    with TerminalProgress(error=True) as progress:
        found = forecast(recipe, out, progress, sets, rows or ROWS)
    return [each.record() for each in found]


def _show_forecasts(
    records: list[dict[str, Any]],
    against: list[Path],
    as_json: bool,
    markdown: bool,
) -> None:
    from caveat.report.forecast_summary import forecast_summaries, score_summaries

    told: Any = records
    tables = []
    if against:
        from caveat.measure import forecast_records
        from caveat.study.forecast_scoring import scored

        cells, scores = scored(records, against, warn)
        told = forecast_records(records, cells, scores)
        records, tables = told["forecasts"], score_summaries(scores)
    if as_json:
        typer.echo(json.dumps(told, indent=1, allow_nan=False))
    else:
        print_tables([*forecast_summaries(records), *tables], markdown)
