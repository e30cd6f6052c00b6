"""What `caveat forecast` does with a law: fit it, register predictions by it, score them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from caveat.cli.console import print_tables, warn
from caveat.errors import CaveatError, closest

ABOUT = "study.json"
"""What stands for a study's folder among the files that a law was fitted on."""


def fit_law(
    path: Path,
    records: Sequence[dict[str, Any]],
    forecasts: Sequence[Path],
    studies: Sequence[Path],
    figures: Sequence[str],
) -> None:
    """Fit the simplest law to forecasts whose leakage was measured, write it and print it.

    Args:
        figures: What may enter it; () is all of `analysis.law.CANDIDATES`.

    Raises CaveatError without studies, or with too few behaviours.
    """
    import pandas as pd

    from caveat.analysis import forecast_cells
    from caveat.analysis.law import CANDIDATES, simplest_law
    from caveat.forecast.records import FILE
    from caveat.forecast.registration import sha256, write_law
    from caveat.study.export import opened

    if not studies or not forecasts:
        raise CaveatError("--fit needs forecasts (--from) and what was measured (--against)")
    leakages = [opened(study, say=warn).leakage() for study in studies]
    unknown = next((name for name in figures if name not in CANDIDATES), None)
    if unknown is not None:
        raise CaveatError(
            f"--figures: {unknown!r} cannot enter a law{closest(unknown, CANDIDATES)} "
            f"(there are {', '.join(CANDIDATES)})"
        )
    cells = forecast_cells(records, pd.concat(leakages, ignore_index=True))
    law = simplest_law(cells, figures or CANDIDATES)
    files = [file / FILE if file.is_dir() else file for file in forecasts]
    files += [file / ABOUT if file.is_dir() else file for file in studies]
    sources = {"/".join(file.parts[-2:]): sha256(file) for file in files}
    write_law(path, law, sources)
    intercept, *slopes = law.coefficients()
    terms = " ".join(
        f"{slope:+.3f} {name}" for name, slope in zip(law.predictors, slopes, strict=True)
    )
    typer.echo(
        f"law: leakage = {intercept:.3f} {terms}; {len(law.leakage)} cells of "
        f"{', '.join(law.models)}; R2 on held-out behaviours {law.held_out_r2():.2f}; "
        f"written to {path}",
        err=True,
    )


def register(
    path: Path,
    recipe: str | None,
    sets: Sequence[str],
    out: Path | None,
    forecasts: Sequence[Path],
    law: Path | None,
) -> None:
    """Register the law's predictions for a recipe's forecasts, or for one file of them."""
    from caveat.forecast import registration
    from caveat.study.config.schema import read

    if law is None:
        raise CaveatError("--register needs --law, the file that predictions are made by")
    if recipe is not None:
        sources = [out or Path("studies") / read(recipe, tuple(sets)).name, *forecasts]
    else:
        sources = [*forecasts]
    if len(sources) != 1:
        raise CaveatError("--register takes one recipe, or one file of forecasts with --from")
    registered = registration.register(path, sources[0], law)
    typer.echo(
        f"registered: {len(registered.predictions)} predictions for version "
        f"{registered.version} of {registered.recipe} in {path}; commit it before the run",
        err=True,
    )


def score_registered(path: Path, studies: Sequence[Path], as_json: bool, markdown: bool) -> None:
    """Print registered predictions beside what studies of the same version measured."""
    from caveat.analysis.json_records import plain_records
    from caveat.analysis.law import prediction_scores
    from caveat.forecast.registration import KEY, PREDICTED, measured, read_registration
    from caveat.report.tables.forecast import registered_summaries
    from caveat.study.export import opened

    if not studies:
        raise CaveatError("--registered needs --against, the study that was run afterwards")
    registration = read_registration(path)
    cells = measured(registration, [opened(study, say=warn) for study in studies])
    usable = cells[(cells["left_out"] == "") & cells["predicted"].notna()]
    if usable.empty:
        raise CaveatError(f"{path}: none of its predictions was measured; let the study finish")
    scores = prediction_scores(usable)
    if as_json:
        shown = [
            *(name for name in KEY if name != "model"),
            *registration.predictors,
            *PREDICTED,
            "leakage",
            "left_out",
        ]
        content = {"scores": scores, "predictions": plain_records(cells[shown])}
        typer.echo(json.dumps(content, indent=1, allow_nan=False))
    else:
        print_tables(registered_summaries(registration, cells, scores), markdown)
