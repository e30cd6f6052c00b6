"""Commands that run a study, estimate its cost, or report its progress."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caveat.cli.app import Device, Folder, Out, RecipeFile, Sets, with_fields
from caveat.cli.console import warn
from caveat.errors import CaveatError

if TYPE_CHECKING:
    from caveat.study.study import Study


Prices = Annotated[
    Path | None, typer.Option(help="A price table (YAML) in place of the shipped one.")
]


def demo(out: Out = None) -> None:
    """Run the shipped demo: three phenomena on a small model, in minutes."""
    _run("demo", out, [])


def run(
    recipe: RecipeFile,
    out: Out = None,
    sets: Sets = None,
    executor: Annotated[str | None, typer.Option(help="local or ray.")] = None,
    device: Device = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Most dollars to spend on a service whose prices are known."),
    ] = None,
    prices: Prices = None,
    track: Annotated[
        str | None, typer.Option(help="Send training curves to trackio or wandb.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Show the page of caveat watch beside the run.")
    ] = False,
) -> None:
    """Run a recipe, or resume it: finished cells are not run again."""
    if budget is not None and not budget > 0:
        raise CaveatError(f"--budget {budget:g}: must be more than 0 dollars")
    sets = with_fields(sets, executor=executor, device=device)
    _run(recipe, out, sets, budget, prices, track, live)


def _run(
    recipe: str,
    out: Path | None,
    sets: list[str],
    budget: float | None = None,
    prices: Path | None = None,
    track: str | None = None,
    live: bool = False,
) -> None:
    from caveat.backends.spending import Limit
    from caveat.cli.console import TerminalProgress, console, show_tables
    from caveat.cli.live import live_page
    from caveat.study.config.schema import read
    from caveat.study.run import run as run_study

    output = TerminalProgress()
    if live:
        out = out or Path("studies") / read(recipe, tuple(sets)).name
    with live_page(out, output.say) if live and out else nullcontext() as page:
        with output as progress:
            limit = Limit(budget, prices)
            study = run_study(recipe, out, progress, sets, limit=limit, track=track)
        if len(study.about["wanted"]) > 1:
            show_tables(console(), study.leakage())
        typer.echo(f"report: {study.folder / 'report.html'}")
        if page is not None and console().is_terminal:
            page.wait()
    _end_with(study)


def _end_with(study: Study) -> None:
    """List failed cells, and exit with status 2 where there are some."""
    failures = study.failed_cells()
    for row in failures:
        typer.echo(f"failed: {row['cell']}: {row['stage']}: {row['reason']}", err=True)
    if failures:
        raise typer.Exit(2)


def plan(
    recipe: RecipeFile,
    out: Out = None,
    sets: Sets = None,
    device: Device = None,
    prices: Prices = None,
) -> None:
    """Estimate what a recipe takes: cells, tokens, memory, time and dollars. Nothing is run.

    Times are by the rates that earlier runs measured on this machine. Dollars are by a dated price
    table, for services only.
    """
    from caveat.cli.console import console, plan_table
    from caveat.study.estimate.plan_cost import plan_cost

    cost = plan_cost(recipe, out, with_fields(sets, device=device), prices)
    console().print(plan_table(cost))


def status(folder: Folder) -> None:
    """Print how far a study is, and which cells failed."""
    from caveat.study.study import Study

    study = Study(folder, say=warn)
    finished, cells = study.progress()
    judged, answers = study.judged()
    about = study.about
    if "rates" in about:
        typer.echo(f"{study.name}: {len(about['rates'])} reported rates, without replies")
    else:
        typer.echo(
            f"{study.name}: {finished} of {cells} cells finished, {judged} of {answers} answers"
        )
    typer.echo(
        f"started {about['started']}, "
        + (f"finished {about['finished']}" if about["finished"] else "not finished")
    )
    for version, about in study.versions.items():
        if version != study.version:
            typer.echo(f"earlier version {version}, started {about['started']}")
    _end_with(study)
