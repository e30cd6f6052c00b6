"""Forecasts scored against studies that were run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.study.store import silent

if TYPE_CHECKING:
    from pandas import DataFrame


def scored(
    forecasts: Sequence[dict[str, Any]],
    studies: Sequence[Path],
    say: Callable[[str], None] = silent,
) -> tuple[DataFrame, DataFrame]:
    """The forecasts beside what the studies measured, and their scores: see `measure`.

    Args:
        forecasts: Records, of one recipe or several.
        studies: Folders of studies, or files that `export` wrote.

    Raises CaveatError for a place without study, or where nothing fits together.
    """
    import pandas as pd

    from caveat import measure
    from caveat.study.exported import opened

    leakages = [opened(place, say=say).leakage() for place in studies]
    cells = measure.forecast_cells(forecasts, pd.concat(leakages, ignore_index=True))
    if (cells["left_out"] == "not measured").all():
        raise CaveatError(
            f"none of the {len(cells)} forecasts was measured in {', '.join(map(str, studies))}: "
            "setting, model, dose and arm must be the same; run the recipe that was forecast"
        )
    return cells, measure.forecast_scores(cells)
