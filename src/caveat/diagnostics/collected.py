"""Tables of several studies put together, scored as one, and kept in a folder for later.

A folder of kept tables has one parquet file a table, `cells` among them, which holds the measured
leakage: everything that is printed of it can be made again without studies or models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from caveat.diagnostics.records import PLACE, read_folder, saved, write_folder
from caveat.diagnostics.scores import (
    FORECASTS,
    canonical,
    diagnostic_cells,
    diagnostic_scores,
    forecast_table,
)
from caveat.errors import CaveatError
from caveat.study.export import opened
from caveat.study.study import Study

if TYPE_CHECKING:
    from pandas import DataFrame

CELLS, SCORES = "cells", "scores"
LEFT_BEHIND = ("updates", SCORES)
"""Tables that are not kept: every pair of models, and what is computed from the cells."""


def score_studies(
    paths: Sequence[Path],
    say: Callable[[str], None],
    later: bool = False,
    version: str | None = None,
) -> dict[str, DataFrame]:
    """The tables of studies, and folders of kept ones, with `cells` and `scores` over all of them.

    Args:
        later: Whether a setting that is in two of them counts as the later one has it.
        version: Of those studies that have it; else the newest.

    Raises CaveatError for a path without diagnostics, and for a setting that is in two where not
    `later`.
    """
    import pandas as pd

    parts: dict[str, list[DataFrame]] = {}
    owners: dict[Place, Path] = {}
    read = [(path, _tables(path, say, version)) for path in paths]
    for path, tables in reversed(read):
        twice = [(owners[place], place) for place in places_of(tables[CELLS]) if place in owners]
        for other, place in () if later else twice:
            raise CaveatError(
                f"{other}: {place[0]} on {place[1]} at the same dose is in {path}, too; name one "
                "of them, since it would count twice, or add --later and the last one counts"
            )
        owners |= {place: path for place in places_of(tables[CELLS]) if place not in owners}
    for path, tables in read:
        for name, whole in tables.items():
            own = [owners.get(place, path) == path for place in places_of(whole)]
            table = whole[own]
            parts.setdefault(name, []).append(table)
    whole = {name: pd.concat(some, ignore_index=True) for name, some in parts.items()}
    return {**whole, SCORES: diagnostic_scores(whole[CELLS])}


Place = tuple[str, str, str]
"""Setting, model and dose."""


def places_of(table: DataFrame) -> list[Place]:
    """Of each row, the setting that it belongs to, its dose written in one way."""
    rows = table[PLACE].itertuples(index=False, name=None)
    return [(setting, model, canonical(dose)) for setting, model, dose in rows]


def _tables(path: Path, say: Callable[[str], None], version: str | None) -> dict[str, DataFrame]:
    """Of one study or folder, with its cells."""
    if path.is_dir() and (path / f"{CELLS}.parquet").is_file():
        return read_folder(path)
    study = opened(path, say=say)
    if not isinstance(study, Study):
        raise CaveatError(
            f"{path}: an exported file has no diagnostics; name the study's folder, or one that "
            "--keep wrote"
        )
    if version in study.versions:
        study = Study(path, version, say)
    tables = {
        name: table for name, table in study.diagnostics().items() if name not in (CELLS, SCORES)
    }
    if not tables:
        others = [one for one in study.versions if saved(study.folder, one)]
        raise CaveatError(
            f"{path}: nothing was diagnosed there yet; run caveat diagnose {path}"
            + (f", or take its version {others[0]}: --version" if others else "")
        )
    if records := study.forecasts():
        tables[FORECASTS] = forecast_table(records)
    return {**tables, CELLS: diagnostic_cells(tables, study.leakage())}


def keep(folder: Path, tables: dict[str, DataFrame]) -> None:
    """Write tables into a folder, for `score_studies` to read. Raises Unwritable."""
    kept = {name: table for name, table in tables.items() if name not in LEFT_BEHIND}
    write_folder(folder, kept)
