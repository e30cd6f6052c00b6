"""The command line: `caveat --help`.

Exit status: 0 done; 1 a user's mistake, told in one line; 2 some cells failed and are listed.
"""

from __future__ import annotations

from caveat.commands import files, forecasting, materials, published, running, tables
from caveat.commands.app import app

COMMANDS = (
    running.demo,
    running.run,
    running.plan,
    running.status,
    tables.leakage,
    tables.transfer,
    tables.ladder,
    tables.practice,
    forecasting.forecast,
    files.report,
    files.export,
    files.import_,
    published.published,
    materials.show,
    materials.models,
    materials.ordinary,
)
"""In the order in which the help lists them."""

for command in COMMANDS:
    app.command(name=command.__name__.rstrip("_"))(command)


def main() -> None:
    """The console script."""
    app()
