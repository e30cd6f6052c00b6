"""Predictions that are registered before their measurement, and the law that they come from.

Both are files to commit. A registration holds the id of the recipe's version (model, rows,
questions, seeds and readouts enter it), so a study of a recipe that changed since is not scored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from caveat.errors import CaveatError
from caveat.files.atomic import write
from caveat.files.hashing import sha256_of
from caveat.forecast.records import about_saved, saved, versioned
from caveat.provenance import now

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.analysis.law import Law
    from caveat.study.tables import StudyTables

LAW_SCHEMA, REGISTRATION_SCHEMA = 1, 1
KEY = ("setting", "model", "dose", "arm")
PREDICTED = ("predicted", "low", "high", "coarse")
"""Leakage by the law, the limits of its interval, and the law as a yes or a no."""


@dataclass(frozen=True)
class Registration:
    """Predictions of one recipe, made before its arms were trained."""

    recipe: str
    version: str
    """Of the recipe; see `study.versions.version_of`."""
    registered: str
    """Time, in UTC."""
    law: str
    """SHA-256 of the law's file."""
    predictors: tuple[str, ...]
    predictions: tuple[dict[str, Any], ...]
    """By marked arm: `KEY`, behaviour, the predictors, and `PREDICTED`."""


def write_law(path: Path, law: Law, sources: Mapping[str, str]) -> None:
    """Write a law to a new file, with what it was fitted on: by path, the SHA-256 of a file.

    Raises CaveatError where the file is there already: registrations hold its SHA-256.
    """
    if path.exists():
        raise CaveatError(f"{path}: is there already; a law is not written over: name another file")
    _write(path, {"schema_version": LAW_SCHEMA, "sources": dict(sources), **law.record()})


def read_law(path: Path) -> Law:
    """The law of a file that `write_law` wrote. Raises CaveatError for another one."""
    from caveat.analysis.law import law_of_record

    try:
        return law_of_record(_content(path, "law", LAW_SCHEMA))
    except (KeyError, TypeError, ValueError):
        raise CaveatError(
            f"{path}: holds no law; name a file that caveat forecast --fit wrote"
        ) from None


def predictions(records: Sequence[Mapping[str, Any]], law: Law) -> list[dict[str, Any]]:
    """Each record with `predicted`, `low`, `high` and `coarse`: leakage by the law.

    All are None where the record lacks one of the law's predictors; limits are None where the law's
    cells are too few for an interval.
    """
    values = [[record.get(name) for name in law.predictors] for record in records]
    is_complete = [None not in row for row in values]
    usable = np.array([row for row in values if None not in row], float)
    columns: dict[str, list[float | None]] = {}
    limits = law.interval(usable) if len(usable) else (usable, usable)
    results = (law.predicted(usable), *limits, law.coarse(usable)) if len(usable) else ((),) * 4
    for name, result in zip(PREDICTED, results, strict=True):
        left = iter(float(value) if math.isfinite(value) else None for value in result)
        columns[name] = [next(left) if there else None for there in is_complete]
    return [
        {**record, **{name: column[index] for name, column in columns.items()}}
        for index, record in enumerate(records)
    ]


def register(path: Path, forecasts: Path, law_path: Path) -> Registration:
    """Write the predictions for saved forecasts to a new file, and give them.

    Raises CaveatError where the file is there already (a registration is not written over), for
    forecasts that name no version, and where the law's predictors are lacking in all of them.
    """
    if path.exists():
        raise CaveatError(
            f"{path}: is there already; a registration is not written over: name another file"
        )
    about, law = about_saved(forecasts), read_law(law_path)
    if "version" not in about:
        raise CaveatError(
            f"{forecasts}: names no version of its recipe; run caveat forecast RECIPE anew"
        )
    predicted = [
        {name: record.get(name) for name in (*KEY, "behaviour", *law.predictors, *PREDICTED)}
        for record in predictions(saved(forecasts), law)
    ]
    if all(prediction["predicted"] is None for prediction in predicted):
        raise CaveatError(
            f"{forecasts}: no forecast has {' and '.join(law.predictors)}, which the law of "
            f"{law_path} needs"
        )
    registration = Registration(
        str(about["recipe"]), str(about["version"]), now(), sha256(law_path), law.predictors,
        tuple(predicted),
    )  # fmt: skip
    _write(path, {"schema_version": REGISTRATION_SCHEMA, **registration.__dict__})
    return registration


def read_registration(path: Path) -> Registration:
    """The registration of a file that `register` wrote. Raises CaveatError for another one."""
    content = _content(path, "registered predictions", REGISTRATION_SCHEMA)
    try:
        fields = {name: content[name] for name in Registration.__dataclass_fields__}
        fields["predictors"] = tuple(fields["predictors"])
        fields["predictions"] = tuple(fields["predictions"])
        if not fields["predictions"]:
            raise ValueError("no predictions")
        for prediction in fields["predictions"]:
            _ = [prediction[name] for name in fields["predictors"]]
            if not all(isinstance(prediction[name], str) for name in ("setting", "model", "arm")):
                raise TypeError("a name is no text")
            if not all(isinstance(prediction[name], float | None) for name in PREDICTED):
                raise TypeError("a prediction is no number")
            _ = dict(prediction["dose"])
    except (KeyError, TypeError, ValueError):
        raise CaveatError(
            f"{path}: holds no registered predictions; name a file that caveat forecast "
            "--register wrote"
        ) from None
    return Registration(**fields)


def measured(registration: Registration, studies: Sequence[StudyTables]) -> DataFrame:
    """The predictions beside the leakage that was measured: see `analysis.forecast_cells`.

    Raises CaveatError for a study of another version of the recipe.
    """
    import pandas as pd

    from caveat.analysis import forecast_cells

    for study in studies:
        if study.version != registration.version:
            raise CaveatError(
                f"{study.name}: its recipe is of version {study.version}, the predictions of "
                f"{registration.recipe} were registered for {registration.version}; rows, "
                "questions, seeds, model or readouts changed since: they cannot be scored"
            )
    leakages = pd.concat([study.leakage() for study in studies], ignore_index=True)
    # the version holds the model's weights; its name may be a path of another machine
    leakages = leakages.assign(model=leakages["model"].map(_warm_up))
    predictions = [
        {**prediction, "model": _warm_up(prediction["model"])}
        for prediction in registration.predictions
    ]
    return forecast_cells(predictions, leakages)


def _warm_up(model: str) -> str:
    """What a model's name says beside that of the language model: its warm-up."""
    return model.partition(" + ")[2]


def sha256(path: Path) -> str:
    """Of a file's content, in 64 hexadecimal digits. Raises CaveatError where it cannot be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise CaveatError(f"{path}: cannot be read ({error.strerror}); fix that") from None


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    write(path, text.encode("utf-8"))


def _content(path: Path, what: str, newest: int) -> dict[str, Any]:
    return versioned(path, newest, "fix that", f"holds no {what}; name another file")
