"""Means over settings: one rate for several claims, each weighing alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from caveat.analysis.panel import BASE, with_strata

CELL = ["model", "purpose", "readout", "scope", "arm", "context", "dose"]
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
    cells = rows[CELL].assign(dose=rows["dose"].where(rows["arm"] != BASE, ""))
    having = rows["setting"].groupby([cells[column] for column in CELL], dropna=False)
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
