"""The command line: `caveat --help`.

Exit status: 0 done; 1 a user's error, in one line; 2 some cells failed and are listed.
"""

from __future__ import annotations

from caveat.cli import (
    analyse,
    check,
    diagnose,
    files,
    forecast,
    imports,
    published,
    run,
    sandbox,
    serve,
    show,
    tune,
)
from caveat.cli.app import app

COMMANDS = (
    check.check,
    run.demo,
    run.run,
    run.plan,
    tune.tune,
    run.status,
    analyse.leakage,
    analyse.transfer,
    analyse.ladder,
    analyse.rl,
    analyse.mixed,
    forecast.forecast,
    diagnose.diagnose,
    files.report,
    files.export,
    imports.import_,
    published.published,
    serve.serve,
    serve.watch,
    serve.adapters,
    show.show,
    show.rows,
    show.models,
    sandbox.sandbox,
)
"""In the order in which the help lists them."""

for command in COMMANDS:
    app.command(name=command.__name__.rstrip("_"))(command)


def main() -> None:
    """The console script."""
    app()
