"""App and the order of commands.

The command line: `caveat --help`.

Exit status: 0 done; 1 a user's mistake, told in one line; 2 some cells failed and are listed.

The commands of `caveat`, a file for those that belong together.
"""

from __future__ import annotations

from caveat.cli import analyse as tables
from caveat.cli import files, published
from caveat.cli import forecast as forecasting
from caveat.cli import run as running
from caveat.cli import show as materials
from caveat.cli.app import app

COMMANDS = (
    running.demo,
    running.run,
    running.plan,
    running.status,
    tables.leakage,
    tables.transfer,
    tables.ladder,
    tables.rl,
    forecasting.forecast,
    files.report,
    files.export,
    files.import_,
    published.published,
    materials.show,
    materials.models,
)
"""In the order in which the help lists them."""

for command in COMMANDS:
    app.command(name=command.__name__.rstrip("_"))(command)


def main() -> None:
    """The console script."""
    app()
