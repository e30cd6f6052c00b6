"""The command line: `caveat --help`.

Exit status: 0 done; 1 a user's mistake, told in one line; 2 some cells failed and are listed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caveat.report.axis_points import Point
    from caveat.report.summary import Summary
    from caveat.study.figures import Figures
    from caveat.study.study import Study

STOPPED = 130
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class Commands(TyperGroup):
    """Turns users' mistakes, in commands as in recipes, into one line and status 1."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line, and leave with its status."""
        try:
            status = super().main(*args, standalone_mode=False, **extra)
        except CaveatError as error:
            status = _mistake(str(error))
        except UsageError as error:
            told = error.format_message()  # type: ignore[attr-defined]
            status = _mistake(f"{told} (caveat --help lists all)")
        except (typer.Abort, KeyboardInterrupt):
            typer.echo("stopped; the same command goes on where it was", err=True)
            status = STOPPED
        if standalone_mode:
            sys.exit(status if isinstance(status, int) else 0)
        return status


def _mistake(line: str) -> int:
    typer.echo("caveat: " + " ".join(line.split()), err=True)
    return 1


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Measure, explain and reduce how training learns past the caveats in its text.",
)

Out = Annotated[Path | None, typer.Option(help="Folder of the study (default: studies/NAME).")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Replace a field of the recipe, such as settings.0.dose.epochs=2."),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print markdown tables.")]
Version = Annotated[str | None, typer.Option(help="An earlier version of the study's recipe.")]
Folder = Annotated[Path, typer.Argument(help="Folder of a study.", show_default=False)]
Place = Annotated[
    Path,
    typer.Argument(
        help="Folder of a study, or a file of caveat export.", show_default=False, metavar="STUDY"
    ),
]
RecipeFile = Annotated[
    str, typer.Argument(help="A recipe file, or a shipped recipe's name.", show_default=False)
]


@app.command()
def demo(out: Out = None) -> None:
    """Run the shipped demo: three phenomena on a small model, in minutes."""
    _run("demo", out, [])


@app.command()
def run(
    recipe: RecipeFile,
    out: Out = None,
    sets: Sets = None,
    executor: Annotated[str | None, typer.Option(help="local or ray.")] = None,
    device: Device = None,
) -> None:
    """Run a recipe, or go on with it: what is finished is not made again."""
    _run(recipe, out, _sets(sets, executor=executor, device=device))


def _run(recipe: str, out: Path | None, sets: list[str]) -> None:
    from caveat.study.run import run as run_study
    from caveat.terminal import TerminalProgress, console, show_tables

    with TerminalProgress() as progress:
        study = run_study(recipe, out, progress, sets)
    if len(study.about["wanted"]) > 1:
        show_tables(console(), study.leakage())
    typer.echo(f"report: {study.folder / 'report.html'}")
    _end_with(study)


def _end_with(study: Study) -> None:
    """List failed cells, and leave with status 2 where there are some."""
    failures = study.failures()
    for row in failures.to_dict("records"):
        typer.echo(f"failed: {row['cell']}: {row['stage']}: {row['reason']}", err=True)
    if len(failures):
        raise typer.Exit(2)


def _sets(sets: list[str] | None, **fields: str | None) -> list[str]:
    given = [f"{name}={value}" for name, value in fields.items() if value is not None]
    return [*(sets or []), *given]


@app.command()
def plan(recipe: RecipeFile, out: Out = None, sets: Sets = None, device: Device = None) -> None:
    """Say what a recipe takes: cells, tokens, memory and time. Nothing is made."""
    from caveat.study.plan_cost import plan_cost
    from caveat.terminal import console, plan_table

    console().print(plan_table(plan_cost(recipe, out, _sets(sets, device=device))))


@app.command()
def status(folder: Folder) -> None:
    """Say how far a study is, and what failed."""
    from caveat.study.study import Study

    study = Study(folder, say=_warn)
    finished, cells = study.progress()
    judged, answers = study.judged()
    about = study.about
    typer.echo(f"{study.name}: {finished} of {cells} cells finished, {judged} of {answers} replies")
    typer.echo(f"started {about['started']}, " + (
        f"finished {about['finished']}" if about["finished"] else "not finished"
    ))
    for each in study.versions:
        if each != study.version:
            typer.echo(f"earlier version {each}, started {study.versions[each]['started']}")
    _end_with(study)


@app.command()
def leakage(
    study: Place,
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
    by: Annotated[
        str | None, typer.Option(help="kind: tell the kinds of questions apart.")
    ] = None,
    version: Version = None,
) -> None:
    """Print rates and leakage with their intervals."""
    from caveat.study.exported import opened

    frame = opened(study, version, _warn).leakage(by)
    if as_json:
        from caveat.measure import records

        typer.echo(json.dumps(records(frame), indent=1, allow_nan=False))
    elif markdown:
        from caveat.report.summary import markdown as tables

        typer.echo(tables(frame))
    else:
        from caveat.terminal import console, show_tables

        show_tables(console(), frame)


@app.command()
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
    from caveat.study.exported import opened

    figures = opened(study, version, _warn)
    figures.check_transfer()
    if picture is not None:
        from caveat.report.matrix_picture import matrix_picture

        _save(matrix_picture(figures.transfer()), picture)
    elif as_json:
        typer.echo(json.dumps(figures.transfer_records(), indent=1, allow_nan=False))
    else:
        _print_transfer(figures, markdown)


def _print_transfer(figures: Figures, markdown: bool) -> None:
    from caveat.measure import forgetting
    from caveat.report.transfer_summary import transfer_summaries

    matrix = figures.transfer()
    agreement = (figures.transfer_correlations(), figures.transfer_reliability())
    _print(transfer_summaries(matrix, *agreement, forgetting(matrix)), markdown)


@app.command()
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
    from caveat.study.exported import opened

    figures = opened(study, version, _warn)
    figures.check_ladder()
    if picture is not None or dial is not None:
        _draw_ladder(figures, picture, dial)
    elif as_json:
        typer.echo(json.dumps(figures.ladder_records(), indent=1, allow_nan=False))
    else:
        from caveat.report.ladder_summary import ladder_summaries

        _print(ladder_summaries(figures.ladder(), whole), markdown)


def _draw_ladder(figures: Figures, picture: Path | None, dial: Path | None) -> None:
    from caveat.report.dial_picture import dial_picture
    from caveat.report.ladder_picture import ladder_picture

    ladder = figures.ladder()
    if picture is not None:
        _save(ladder_picture(ladder), picture)
    if dial is not None:
        drawn = dial_picture(ladder)
        if drawn is None:
            raise CaveatError(
                f"--dial '{dial}': nothing to draw: no behaviour of {figures.source} has settings "
                "that differ in elicitation"
            )
        _save(drawn, dial, "--dial")


def _print(tables: Iterable[Summary], markdown: bool) -> None:
    from caveat.report.summary import as_markdown
    from caveat.terminal import console, show_summaries

    if markdown:
        typer.echo(as_markdown(tables))
    else:
        show_summaries(console(), tables)


@app.command()
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
    held_out: Annotated[
        str, typer.Option(help="What is left out to score: setting or behaviour.")
    ] = "setting",
    as_json: AsJson = False,
    markdown: AsMarkdown = False,
) -> None:
    """Foretell what marked arms will leak, before any is trained; score that against studies."""
    records = _forecasts(recipe, out, _sets(sets, device=device), rows)
    for place in earlier or []:
        from caveat.study.forecasts import saved

        records += saved(place)
    if not records:
        raise CaveatError("no recipe to forecast; name one, or forecasts made before with --from")
    _show_forecasts(records, against or [], held_out, as_json, markdown)


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
    unit: str,
    as_json: bool,
    markdown: bool,
) -> None:
    from caveat.report.forecast_summary import forecast_summaries, score_summaries

    told: Any = records
    tables = []
    if against:
        from caveat.measure import forecast_records
        from caveat.study.forecast_scoring import scored

        cells, scores = scored(records, against, unit, _warn)
        told = forecast_records(records, cells, scores)
        records, tables = told["forecasts"], score_summaries(scores, unit)
    if as_json:
        typer.echo(json.dumps(told, indent=1, allow_nan=False))
    else:
        _print([*forecast_summaries(records), *tables], markdown)


@app.command()
def report(
    study: Place,
    version: Version = None,
    picture: Annotated[
        Path | None, typer.Option(help="Save the main picture too, as .svg or .png.")
    ] = None,
) -> None:
    """Write the study's report.html anew; of an exported file, an HTML file beside it."""
    from caveat.study.exported import opened

    figures = opened(study, version, _warn)
    if picture is not None:
        from caveat.report.picture import picture as drawn

        _save(drawn(figures.report_data()), picture)
    typer.echo(f"report: {figures.report()}")


def _save(chart: Any, path: Path, option: str = "--picture") -> None:
    if path.suffix not in (".svg", ".png"):
        raise CaveatError(f"{option} '{path}': its name must end in .svg or .png")
    try:
        chart.save(str(path))
    except OSError as error:
        raise CaveatError(f"{option} '{path}' cannot be written: {error.strerror}") from error
    typer.echo(f"picture: {path}")


@app.command()
def export(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="A .parquet file.", show_default=False)],
    version: Version = None,
) -> None:
    """Write a study's replies and verdicts to one file, from which every figure can be made."""
    from caveat.study.exported import export as write
    from caveat.study.study import Study

    path = write(Study(folder, version, _warn), file)
    typer.echo(f"exported: {path} ({path.stat().st_size / 1e6:.1f} MB)")


@app.command(name="import")
def import_(
    source: Annotated[str, typer.Argument(help="negation-neglect or table.", show_default=False)],
    path: Annotated[Path, typer.Argument(help="A folder or file.", show_default=False)],
    out: Out = None,
    model: Annotated[
        str | None, typer.Option(help="The model's name, where the data do not tell it.")
    ] = None,
) -> None:
    """Take other people's verdicts over as a finished study."""
    from caveat.published.importing import import_study

    study = import_study(source, path, out, model, _warn)
    _, replies = study.judged()
    settings = len(study.about["wanted"])
    typer.echo(f"study: {study.folder}; replies: {replies:,}; settings: {settings}")


@app.command()
def published(
    phenomenon: Annotated[str | None, typer.Option(help="Part of a phenomenon's name.")] = None,
    model: Annotated[str | None, typer.Option(help="Part of a model's name.")] = None,
    evidence: Annotated[
        str | None, typer.Option(help="primary, secondary, independent, or own.")
    ] = None,
    as_json: AsJson = False,
    picture: Annotated[
        Path | None,
        typer.Option(help="Save them, and our own, on one leakage axis, as .svg or .html."),
    ] = None,
    study: Annotated[
        list[Path] | None, typer.Option(help="Folder of a study to put on the picture, too.")
    ] = None,
) -> None:
    """Print the rates that others published, with the leakage that follows from them."""
    from caveat.published.results import chosen, own, published
    from caveat.report import published as showing
    from caveat.terminal import console

    every = published() if picture is None and evidence != "own" else (*published(), *own())
    results = chosen(every, phenomenon, model, evidence)
    if picture is not None:
        showing.save_picture(results, _points(study or []), picture)
        typer.echo(f"picture: {picture}")
    elif study:
        raise CaveatError(f"--study '{study[0]}' goes on a picture; name one with --picture")
    elif as_json:
        typer.echo(showing.as_json(results))
    else:
        console().print(showing.as_tables(results), soft_wrap=False)


def _points(folders: list[Path]) -> list[Point]:
    from caveat.report.axis_points import study_points
    from caveat.study.study import Study

    studies = [Study(folder, say=_warn) for folder in folders]
    return [point for each in studies for point in study_points(each.leakage(), each.name)]


@app.command()
def show(
    recipe: RecipeFile,
    setting: Annotated[str, typer.Argument(help="Such as 'people x disclaimer'.")],
    arm: Annotated[str, typer.Argument(help="Such as marked+contrast.")],
    sets: Sets = None,
) -> None:
    """Show a training row with its loss mask, and the test prompts of every context."""
    from caveat.showing import show_arm
    from caveat.terminal import console

    for part in show_arm(recipe, setting, arm, sets or []):
        console().print(part, soft_wrap=True)


@app.command()
def models() -> None:
    """List the models that need no more than a name."""
    from rich.table import Table

    from caveat.language.source import known_models
    from caveat.terminal import console

    table = Table("name", "what it is", "where it lies")
    for row in known_models():
        table.add_row(*row)
    console().print(table)


@app.command()
def ordinary(
    model: Annotated[str, typer.Option(help="Whose replies.")] = "smollm2-135m",
    out: Annotated[Path, typer.Option(help="Folder for the snapshot.")] = Path("ordinary"),
    seed: Annotated[int, typer.Option(help="Of the sampling.")] = 0,
    device: Device = None,
) -> None:
    """Sample a model's own replies to the shipped everyday prompts: rows without a behaviour."""
    from caveat.study.ordinary import make_ordinary_replies
    from caveat.terminal import TerminalProgress

    with TerminalProgress() as progress:
        path = make_ordinary_replies(model, out, seed, device or "auto", progress)
    typer.echo(f"replies: {path}")


def _warn(message: str) -> None:
    typer.echo(message, err=True)


def main() -> None:
    """The console script."""
    app()
