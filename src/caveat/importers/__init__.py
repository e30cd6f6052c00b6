"""Importers of other people's verdicts, by the names that `caveat import` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from caveat.errors import CaveatError, closest
from caveat.importers import inspect_logs, negation_neglect, rates
from caveat.importers import tables as table
from caveat.importers.inspect_mapping import log_options
from caveat.importers.options import TableOptions, table_options
from caveat.importers.save import save, save_rates
from caveat.importers.validation import Imported
from caveat.study.storage.store import silent
from caveat.study.study import Study

__all__ = ["IMPORTERS", "TableOptions", "import_study", "log_options", "table_options"]

IMPORTERS: Mapping[str, Callable[[Path, str | None], Imported]] = {
    "negation-neglect": negation_neglect.read,
}
"""Sources of one path that need no options."""
TABLES: Mapping[str, Callable[[Sequence[Path], str | None, TableOptions], Imported]] = {
    "table": table.read,
    "inspect": inspect_logs.read,
}
"""Sources of one or more files, with options."""
RATES = "rates"
"""The source of rates, which come without replies."""
SOURCES = (*IMPORTERS, *TABLES, RATES)


def import_study(
    source: str,
    path: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    model: str | None = None,
    say: Callable[[str], None] = silent,
    options: TableOptions | None = None,
) -> Study:
    """Other people's verdicts as a finished study in the folder `out` (`studies/NAME` without one).

    `path` may be several files where the source is a table, and several logs or folders where it
    is Inspect. `model` names the model where the data do not. `options` say what the columns and
    values of a table are, or the parts of logs (see `log_options`). What readers of the study
    should know is passed to `say` and stored in the study's notes. Raises CaveatError for an
    unknown source, and for a file or row that cannot be used.
    """
    if source not in SOURCES:
        raise CaveatError(
            f"source {source!r} is not one of {', '.join(SOURCES)}{closest(source, SOURCES)}"
        )
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(part) for part in path]
    imported = (
        rates.read(paths, model, options or TableOptions())
        if source == RATES
        else _read(source, paths, model, options)
    )
    for note in imported.notes:
        say(note)
    folder = Path(out) if out is not None else Path("studies") / imported.name
    if isinstance(imported, rates.ReportedRates):
        return save_rates(imported, folder, say)
    return save(imported, folder, say)


def _read(
    source: str, paths: Sequence[Path], model: str | None, options: TableOptions | None
) -> Imported:
    if source in TABLES:
        return TABLES[source](paths, model, options or TableOptions())
    if options not in (None, TableOptions()):
        raise CaveatError(f"source {source!r} has its own columns; leave the options of tables out")
    if len(paths) > 1:
        raise CaveatError(
            f"{paths[1]}: the source {source!r} takes one path; import each by itself"
        )
    return IMPORTERS[source](paths[0], model)
