"""What the command line prints and saves: progress, tables, figures.

Nothing else in the library prints.
"""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, Group
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from caveat.errors import CaveatError
from caveat.progress import Kind, Progress, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pandas import DataFrame

    from caveat.report.tables.summary import Summary
    from caveat.study.estimate.plan_cost import PlanCost


PLAIN_WIDTH = 150
"""Columns where the output is a file or a pipe."""
WIDEST = 80
"""Characters of a table's cell; the name of a setting may have a caveat of several sentences."""
PLAIN_PAUSE = 20.0
"""Seconds between lines of progress in a file or a pipe."""
WORK: dict[Kind, str] = {
    "train": "training",
    "rl": "RL training",
    "reply": "replies",
    "score": "scoring",
}
"""Kinds of work as they are called in output."""


def console(error: bool = False) -> Console:
    """A console on standard output, or error, wide enough for tables when piped."""
    terminal = Console(stderr=error, highlight=False)
    if terminal.is_terminal:
        return terminal
    return Console(stderr=error, highlight=False, width=PLAIN_WIDTH)


class TerminalProgress(Progress):
    """A bar with the stage, the share done and the time left; lines where there is no terminal."""

    def __init__(self, error: bool = False) -> None:
        """Args: error: Write to standard error, where standard output is for a result."""
        self.console = console(error)
        self.label = ""
        self.last_line = time.monotonic()
        self.bar: Bar | None = None
        self.task = TaskID(0)

    def __enter__(self) -> TerminalProgress:
        if self.console.is_terminal:
            self.bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[left]}"),
                console=self.console,
                transient=True,
            )
            self.task = self.bar.add_task("starting", total=1.0, left="")
            self.bar.start()
        return self

    def __exit__(self, *reason: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def stage(self, label: str) -> None:
        """Show what is being done."""
        if self.bar is not None:
            self.bar.update(self.task, description=label)
        elif label != self.label:
            self._line(label)
        self.label = label

    def left(self, share: float, seconds: float) -> None:
        """Move the bar; without one, a line now and then."""
        remaining = f"{duration(seconds)} left"
        if self.bar is not None:
            self.bar.update(self.task, completed=share, left=remaining)
        elif time.monotonic() - self.last_line > PLAIN_PAUSE:
            self._line(f"{self.label}: {share:.0%} of the study done, {remaining}")

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        self._line(message)

    def table(self, setting: str, frame: DataFrame) -> None:
        """Print the tables of a setting that is complete."""
        show_tables(self.console, frame)

    def _line(self, text: str) -> None:
        self.last_line = time.monotonic()
        self.console.print(text, markup=False, soft_wrap=True)


def show_tables(to: Console, leakage: DataFrame) -> None:
    """Rates and leakage, one table a setting, readout, scope and dose."""
    from caveat.report.tables.summary import leakage_summaries

    show_summaries(to, leakage_summaries(leakage))


def show_summaries(to: Console, tables: Iterable[Summary]) -> None:
    """Tables with their titles and notes; cells longer than `WIDEST` are cut unless they wrap."""
    for summary in tables:
        table = Table(title=summary.title, title_justify="left", title_style="bold")
        wraps = bool(summary.words)
        for index, column in enumerate(summary.columns):
            left = index == 0 or column in summary.words
            table.add_column(
                column,
                justify="left" if left else "right",
                overflow="fold" if wraps else "ellipsis",
            )
        for row in summary.rows:
            cells = row if wraps else [textwrap.shorten(c, WIDEST, placeholder=" …") for c in row]
            table.add_row(*map(Text, cells))
        to.print()
        to.print(table)
        if summary.note:
            to.print(summary.note, markup=False, soft_wrap=True)
    to.print()


def plan_table(plan: PlanCost) -> Group:
    """What a recipe takes, setting by setting and in all."""
    table = Table()
    columns = ("setting", "cells", "adapters to train", "answers to get")
    for column in (*columns, "tokens trained", "sampled", "scored", "time"):
        table.add_column(column, justify="left" if column == "setting" else "right")
    for cost in plan.settings:
        tokens = (cost.trained, cost.tokens["reply"], cost.tokens["score"])
        table.add_row(
            cost.setting,
            *(f"{count:,}" for count in (cost.cells, cost.adapters, cost.answers)),
            *(f"{count:,.0f}" for count in tokens),
            duration(cost.seconds),
        )
    seconds = sum(cost.seconds for cost in plan.settings)
    cells = sum(cost.cells for cost in plan.settings)
    held = (
        f"; about {plan.memory / 2**30:.1f} GB of memory (the model, the adapters of a group in "
        f"training, the activations of one pass) and {plan.disk / 2**30:.2f} GB of disk"
        if plan.memory
        else ""
    )
    summary = (
        f"{cells} cells, about {duration(seconds)}{held}. What is finished already is not counted."
    )
    if plan.cost is not None and not plan.memory:  # a service does the work
        summary = f"{cells} cells. What is finished already is not counted."
    spent = () if plan.cost is None else (plan.cost.line,)
    lines = (*spent, *_rate_lines(plan), *_pool_lines(plan), *plan.notes)
    masses = ("", _mass_table(plan)) if plan.masses else ()
    return Group(table, summary, *lines, *masses)


def _pool_lines(plan: PlanCost) -> Iterator[str]:
    """What workers of a cluster gain."""
    if (use := plan.pool_use) is None:
        return
    by_recipe = (
        f"; {plan.workers} workers (ray.workers) take {duration(use.least(plan.workers))} or more"
        if plan.workers
        else ""
    )
    yield (
        f"executor ray: {duration(use.work)} of work for one worker, of which tasks that need each "
        f"other take {duration(use.chain)}: more than {use.useful_workers} workers gain "
        f"nothing{by_recipe}"
    )


def _mass_table(plan: PlanCost) -> Table:
    """Where the loss of every arm lies. Equal arms of settings that differ otherwise show once."""
    table = Table(
        "setting", "arm", title="Loss mass: each step's weights on the behaviour rows sum to 1",
        title_justify="left",
    )  # fmt: skip
    for column in ("steps", "supervised tokens", "on the text", "on the caveat", "on added rows"):
        table.add_column(column, justify="right")
    table.add_column("text's share of the rows' loss", justify="right")
    for setting, arm, mass in dict.fromkeys(plan.masses):
        stage = arm if mass.label in ("", arm) else f"{arm}: {mass.label}"
        table.add_row(
            setting, stage, str(mass.steps), f"{mass.tokens:,}",
            *(f"{part:.1f}" for part in (mass.text, mass.caveat, mass.added)),
            f"{mass.share:.2f}",
        )  # fmt: skip
    return table


def _rate_lines(plan: PlanCost) -> Iterator[str]:
    """Tokens per second of the work that is left, with their source."""
    for source, kinds in plan.rates.by_source(plan.kinds):
        rates = ", ".join(f"{WORK[kind]} {plan.rates.by_kind[kind]:,.0f}" for kind in kinds)
        yield f"tokens per second: {rates} ({source})"


def one_form(**given: object) -> None:
    """Raise CaveatError where several forms of output are requested, by the options' names."""
    options = [f"--{name}" for name, value in given.items() if value]
    if len(options) > 1:
        raise CaveatError(f"{' and '.join(options)}: one form at a time; drop all but one")


def print_tables(tables: Iterable[Summary], markdown: bool) -> None:
    """Print tables on the terminal, or as markdown."""
    if markdown:
        from caveat.report.tables.summary import markdown as as_markdown

        typer.echo(as_markdown(tables))
    else:
        show_summaries(console(), tables)


def save_figure(chart: Any, path: Path, option: str = "--figure") -> None:
    """Save a chart as .svg or .png.

    Raises CaveatError, which names the `option`, for another ending or a file that cannot be
    written.
    """
    check_ending(path, option)
    try:
        chart.save(str(path))
    except OSError as error:
        raise CaveatError(f"{option} '{path}' cannot be written: {error.strerror}") from error
    typer.echo(f"figure: {path}")


def check_ending(path: Path | None, option: str = "--figure") -> None:
    """Raise CaveatError for a figure's path of another ending: before it is computed."""
    if path is not None and path.suffix not in (".svg", ".png"):
        raise CaveatError(f"{option} '{path}': its name must end in .svg or .png")


def warn(message: str) -> None:
    """Print a message on standard error, apart from the output."""
    typer.echo(message, err=True)
