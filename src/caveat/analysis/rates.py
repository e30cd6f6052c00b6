"""Rates: the share of replies whose verdict is yes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Inference
from caveat.analysis.panel import BASE, IDENTITY, panels, with_strata

CELL = [*IDENTITY, "arm", "context", "scope", "readout", "dose"]
"""Columns that name a rate."""
RATES = [
    *CELL, "value", "low", "high", "valid", "truncated", "valid_rate",
    "questions", "clusters", "seeds", "replies", "interval",
]  # fmt: skip


def rates(replies: pd.DataFrame, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row a cell and context, with the columns `RATES`.

    `value` in [0, 1] is the share of yes among all replies, invalid ones in the denominator, with
    its 95% interval; `valid` and `truncated` are shares of all replies; `valid_rate` the share of
    yes among valid ones, NaN where there are none. `seeds` is 0 for base. Only replies of the
    purpose `measure` to readouts that give verdicts count.
    """
    measured = verdicts(replies)
    frames = [pd.DataFrame(_rows(inference)) for inference in inferences(measured, draws, seed)]
    if not frames:
        return pd.DataFrame(columns=RATES)
    table = pd.concat(frames).drop_duplicates(CELL)  # base stands in the panel of every dose
    return table.merge(_shares(measured), on=CELL, validate="1:1")[RATES].sort_values(
        CELL, ignore_index=True
    )


def verdicts(replies: pd.DataFrame) -> pd.DataFrame:
    """The replies of the purpose `measure` to readouts that are not numeric."""
    return replies[(replies["purpose"] == "measure") & ~numeric(replies)]


def numeric(replies: pd.DataFrame) -> pd.Series:
    """Whether a reply is to a readout of which only the value counts, by the column `numeric`.

    A frame without that column has no such readout. It is never guessed from the verdicts: a
    likelihood readout of which every verdict is neutral has rates all the same.
    """
    if "numeric" not in replies:
        return pd.Series(False, index=replies.index)
    return replies["numeric"].eq(True)  # what is missing is not numeric


def inferences(measured: pd.DataFrame, draws: int, seed: int) -> Iterator[Inference]:
    """The share of yes, panel by panel, with its bootstrap."""
    for panel in panels(measured, measured["verdict"] == "yes"):
        yield Inference.of(panel, draws, seed)


def _rows(inference: Inference) -> Iterator[dict]:
    panel = inference.panel
    low, high = inference.rate_intervals()
    over_seeds = inference.over_seeds(np.eye(len(panel.cells)))
    for index, cell in enumerate(panel.cells):
        yield {
            **panel.names,
            "arm": cell.arm,
            "context": cell.context,
            "dose": cell.dose,
            "value": panel.mean[index],
            "low": low[index],
            "high": high[index],
            "questions": panel.cell_questions[index],
            "clusters": panel.cell_clusters[index],
            "seeds": panel.cell_seeds[index],
            "interval": interval_label(over_seeds[index]),
        }


def interval_label(over_seeds: bool) -> str:
    """What an interval is over."""
    return "seeds" if over_seeds else "within seed"


def _shares(measured: pd.DataFrame) -> pd.DataFrame:
    valid = measured["verdict"] != "invalid"
    marked = measured.assign(
        # a base row's dose says nothing, so one is taken for all of them
        dose=measured["dose"].where(measured["arm"] != BASE, _dose_of_base(measured)),
        valid=valid.astype(float),
        truncated=measured["truncated"].astype(float),
        valid_rate=(measured["verdict"] == "yes").astype(float).where(valid),
    )
    strata = with_strata(marked).groupby([*CELL, "stratum"], dropna=False)
    shares = strata[["valid", "truncated", "valid_rate"]].mean().groupby(CELL, dropna=False).mean()
    return shares.assign(replies=marked.groupby(CELL, dropna=False).size()).reset_index()


def _dose_of_base(measured: pd.DataFrame) -> pd.Series:
    cell = [column for column in CELL if column != "dose"]
    return measured.groupby(cell, dropna=False)["dose"].transform("min")
