"""The command line's application: exit status, errors, and the options that commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from caveat.errors import CaveatError

STOPPED = 130
"""Exit status after Ctrl-C, as shells have it."""
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Click's UsageError, whose module differs between versions of typer."""


class Commands(TyperGroup):
    """Turns users' errors, in commands as in recipes, into one line and status 1."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line and exit with its status."""
        try:
            status = super().main(*args, standalone_mode=False, **extra)
        except CaveatError as error:
            status = _error(str(error))
        except UsageError as error:
            message = error.format_message()  # type: ignore[attr-defined]
            status = _error(f"{message} (caveat --help lists all)")
        except (typer.Abort, KeyboardInterrupt):
            typer.echo("stopped; run the same command again to resume", err=True)
            status = STOPPED
        if standalone_mode:
            sys.exit(status if isinstance(status, int) else 0)
        return status


def _error(line: str) -> int:
    typer.echo("caveat: " + " ".join(line.split()), err=True)
    return 1


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Measure, explain, predict and reduce how training ignores the caveats in its text.",
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
StudyPath = Annotated[
    Path,
    typer.Argument(
        help="Folder of a study, or a file of caveat export.", show_default=False, metavar="STUDY"
    ),
]
RecipeFile = Annotated[
    str, typer.Argument(help="A recipe file, or a shipped recipe's name.", show_default=False)
]


def with_fields(sets: list[str] | None, **fields: str | None) -> list[str]:
    """The `--set` items, with one more for each field that is given."""
    given = [f"{name}={value}" for name, value in fields.items() if value is not None]
    return [*(sets or []), *given]
