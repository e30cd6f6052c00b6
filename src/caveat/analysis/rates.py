"""Rates: the share of replies whose verdict is yes, of settings and of means over settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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


def rates(replies: pd.DataFrame) -> pd.DataFrame:
    """One row a cell and context, with the columns `RATES`.

    `value` in [0, 1] is the share of yes among all replies, invalid ones in the denominator, with
    its 95% interval; `valid` and `truncated` are shares of all replies; `valid_rate` the share of
    yes among valid ones, NaN where there are none. `seeds` is 0 for base. Only replies of the
    purpose `measure` to readouts that give verdicts count.
    """
    measured = verdicts(replies)
    frames = [pd.DataFrame(_rows(inference)) for inference in inferences(measured)]
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


def inferences(measured: pd.DataFrame) -> Iterator[Inference]:
    """The share of yes, panel by panel, with its covariances."""
    for panel in panels(measured, measured["verdict"] == "yes"):
        yield Inference.of(panel)


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


COMMON = ["model", "purpose", "readout", "scope", "arm", "context", "dose"]
"""Columns that name what every setting must have, so that a mean is over the same settings."""


def pooled(replies: pd.DataFrame, means: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The replies, and once more those of each mean's settings, under the mean's name.

    `means` has settings by the name of their mean. The added rows carry their setting as `stratum`,
    which weighs alike in every rate (see `panels`), so a mean's rate is the mean of its settings'
    rates, and its leakage is defined as everywhere. What some setting lacks (an arm, a context) is
    in no mean. Clusters stay those of the settings: the intervals say how far the mean would move
    with other questions about these very claims, not how other claims would do.
    """
    added = [
        part for name, settings in means.items() for part in _mean(replies, name, list(settings))
    ]
    return pd.concat([with_strata(replies), *added], ignore_index=True) if added else replies


def _mean(replies: pd.DataFrame, name: str, settings: list[str]) -> Iterator[pd.DataFrame]:
    rows = replies[replies["setting"].isin(settings)]
    # base belongs to every dose, so its own says nothing
    cells = rows[COMMON].assign(dose=rows["dose"].where(rows["arm"] != BASE, ""))
    having = rows["setting"].groupby([cells[column] for column in COMMON], dropna=False)
    whole = rows[having.transform("nunique") == len(settings)]
    yield whole.assign(
        setting=name,
        behaviour=name,
        phenomenon=_shared(rows["phenomenon"]),
        caveat=_shared(rows["caveat"]),
        stratum=whole["setting"],
        question=whole["setting"] + "/" + whole["question"],
        cluster=whole["setting"] + "/" + whole["cluster"],
    )


def _shared(column: pd.Series) -> str:
    """The one value of a column, "" where there are several."""
    values = column.unique()
    return str(values[0]) if len(values) == 1 else ""
