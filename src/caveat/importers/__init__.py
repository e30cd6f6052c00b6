"""Importers of other people's verdicts, by the names that `caveat import` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from caveat.errors import CaveatError, closest
from caveat.importers import negation_neglect
from caveat.importers import tables as table
from caveat.importers.save import save
from caveat.importers.validation import Imported
from caveat.study.storage.store import silent
from caveat.study.study import Study

IMPORTERS: Mapping[str, Callable[[Path, str | None], Imported]] = {
    "negation-neglect": negation_neglect.read,
    "table": table.read,
}


def import_study(
    source: str,
    path: str | Path,
    out: str | Path | None = None,
    model: str | None = None,
    say: Callable[[str], None] = silent,
) -> Study:
    """Other people's verdicts as a finished study in the folder `out` (`studies/NAME` without one).

    `model` names the model where the data do not. What readers of the study should know is passed
    to `say` and stored in the study's notes. Raises CaveatError for an unknown source, and for a
    file or row that cannot be used.
    """
    if source not in IMPORTERS:
        raise CaveatError(
            f"source {source!r} is not one of {', '.join(IMPORTERS)}{closest(source, IMPORTERS)}"
        )
    imported = IMPORTERS[source](Path(path), model)
    for note in imported.notes:
        say(note)
    folder = Path(out) if out is not None else Path("studies") / imported.name
    return save(imported, folder, say)
