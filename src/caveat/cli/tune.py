"""The command that finds the smallest dose which installs the behaviour on a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from caveat.cli.app import AsJson, AsMarkdown, Device, Out, RecipeFile, Sets, with_fields
from caveat.cli.console import one_form, print_tables, warn
from caveat.errors import CaveatError

Number = TypeVar("Number", int, float)


def tune(
    recipe: RecipeFile,
    out: Out = None,
    sets: Sets = None,
    target: Annotated[float, typer.Option(help="Rate of bare at none to reach.")] = 0.9,
    rows: Annotated[
        str | None, typer.Option(help="Rows to try, such as 12,24 (default: the recipe's).")
    ] = None,
    epochs: Annotated[str, typer.Option(help="Epochs to try.")] = "1,2,4",
    rates: Annotated[
        str | None,
        typer.Option(help="Learning rates to try (default: .5, 1 and 2 times the recipe's)."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Tuning seeds of each dose, from seed 100.")] = 2,
    device: Device = None,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
) -> None:
    """Find each setting's smallest dose that installs the behaviour, on tuning questions.

    Trains bare arms alone, from the smallest dose of a grid on, and stops at the first that reaches
    the target. Prints what to paste into the recipe. A stopped search resumes.
    """
    one_form(json=as_json, markdown=markdown)
    from caveat.cli.console import TerminalProgress
    from caveat.report.tables.tune import lines_to_paste, tune_summary
    from caveat.study.tuning import Grid
    from caveat.study.tuning import tune as search

    grid = Grid(
        _numbers("--rows", rows, int), _numbers("--epochs", epochs, int),
        _numbers("--rates", rates, float),
    )  # fmt: skip
    with TerminalProgress(error=True) as progress:
        tuned = search(recipe, out, progress, with_fields(sets, device=device), target, grid, seeds)
    if as_json:
        typer.echo(json.dumps([one.record() for one in tuned], indent=1, allow_nan=False))
    else:
        print_tables([tune_summary(one) for one in tuned], markdown)
        for line in (line for one in tuned for line in lines_to_paste(one)):
            typer.echo(line)
    failed = [one.failure() for one in tuned if one.reached is None]
    for message in failed[:-1]:
        warn(message)
    if failed:
        raise CaveatError(failed[-1])


def _numbers(option: str, text: str | None, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    """Numbers above 0, separated by commas; none where the option is not given."""
    try:
        numbers = tuple(kind(part) for part in (text or "").split(",") if part.strip())
    except ValueError:
        numbers = ()
    if text is not None and (not numbers or not all(0 < number < 1e9 for number in numbers)):
        raise CaveatError(f"{option} {text}: give numbers above 0, such as 1,2,4")
    return numbers
