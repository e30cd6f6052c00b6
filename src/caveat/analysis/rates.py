"""Rates: the share of answers whose verdict is yes, of settings and of means over settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from caveat.analysis.intervals import Estimates
from caveat.analysis.panel import BASE, SETTING_COLUMNS, panels, with_strata

RATE_KEY = [*SETTING_COLUMNS, "arm", "context", "scope", "readout", "dose"]
"""Columns that name a rate."""
RATE_COLUMNS = [
    *RATE_KEY, "value", "low", "high", "valid", "truncated", "valid_rate",
    "questions", "clusters", "seeds", "replies", "interval",
]  # fmt: skip


def rates(answers: pd.DataFrame) -> pd.DataFrame:
    """One row a cell and context, with the columns `RATE_COLUMNS`.

    `value` in [0, 1] is the share of yes among all answers, invalid ones in the denominator, with
    its 95% interval; `valid` and `truncated` are shares of all answers; `valid_rate` the share of
    yes among valid ones, NaN where there are none; `replies` the number of answers; `seeds` is 0
    for base. Only answers of the purpose `measure` to readouts that give verdicts count.
    """
    measured = verdicts(answers)
    frames = [pd.DataFrame(_rows(estimates)) for estimates in estimates_by_panel(measured)]
    if not frames:
        return pd.DataFrame(columns=RATE_COLUMNS)
    table = pd.concat(frames).drop_duplicates(RATE_KEY)  # base is in the panel of every dose
    table = table.merge(_shares(measured), on=RATE_KEY, validate="1:1")
    return table[RATE_COLUMNS].sort_values(RATE_KEY, ignore_index=True)


def verdicts(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers of the purpose `measure` to readouts that are not numeric."""
    return answers[(answers["purpose"] == "measure") & ~numeric(answers)]


def numeric(answers: pd.DataFrame) -> pd.Series:
    """Whether the answer's readout gives a value instead of a verdict, by the column `numeric`.

    A frame without that column has no such readout. It is never guessed from the verdicts: a
    likelihood readout of which every verdict is neutral has rates all the same.
    """
    if "numeric" not in answers:
        return pd.Series(False, index=answers.index)
    return answers["numeric"].eq(True)  # a missing value is not numeric


def estimates_by_panel(measured: pd.DataFrame) -> Iterator[Estimates]:
    """The share of yes, panel by panel, with covariances."""
    for panel in panels(measured, measured["verdict"] == "yes"):
        yield Estimates.of(panel)


def _rows(estimates: Estimates) -> Iterator[dict]:
    panel = estimates.panel
    low, high = estimates.rate_intervals()
    over_seeds = estimates.over_seeds(np.eye(len(panel.cells)))
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
    """What an interval is over, in words."""
    return "seeds" if over_seeds else "within seed"


def _shares(measured: pd.DataFrame) -> pd.DataFrame:
    valid = measured["verdict"] != "invalid"
    flags = measured.assign(
        # base belongs to every dose, so its rows get one and the same
        dose=measured["dose"].where(measured["arm"] != BASE, _dose_of_base(measured)),
        valid=valid.astype(float),
        truncated=measured["truncated"].astype(float),
        valid_rate=(measured["verdict"] == "yes").astype(float).where(valid),
    )
    strata = with_strata(flags).groupby([*RATE_KEY, "stratum"], dropna=False)
    by_stratum = strata[["valid", "truncated", "valid_rate"]].mean()
    shares = by_stratum.groupby(RATE_KEY, dropna=False).mean()
    return shares.assign(replies=flags.groupby(RATE_KEY, dropna=False).size()).reset_index()


def _dose_of_base(measured: pd.DataFrame) -> pd.Series:
    columns = [column for column in RATE_KEY if column != "dose"]
    return measured.groupby(columns, dropna=False)["dose"].transform("min")


POOLED_KEY = ["model", "purpose", "readout", "scope", "arm", "context", "dose"]
"""Columns that name what every setting must have, so that a mean is over the same settings."""


def pooled(answers: pd.DataFrame, means: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The answers, and once more those of each mean's settings, under the mean's name.

    `means` has settings by the name of their mean. The added rows carry their setting as `stratum`,
    which weighs alike in every rate (see `panels`), so a mean's rate is the mean of its settings'
    rates, and its leakage is defined as everywhere. What some setting lacks (an arm, a context) is
    in no mean. Clusters stay those of the settings: the intervals say how far the mean would move
    with other questions about these very claims, not how other claims would do.
    """
    added = [_pooled(answers, name, list(settings)) for name, settings in means.items()]
    return pd.concat([with_strata(answers), *added], ignore_index=True) if added else answers


def _pooled(answers: pd.DataFrame, name: str, settings: list[str]) -> pd.DataFrame:
    rows = answers[answers["setting"].isin(settings)]
    # base belongs to every dose, so the dose of its rows does not count
    keys = rows[POOLED_KEY].assign(dose=rows["dose"].where(rows["arm"] != BASE, ""))
    by_key = rows["setting"].groupby([keys[column] for column in POOLED_KEY], dropna=False)
    complete = rows[by_key.transform("nunique") == len(settings)]
    return complete.assign(
        setting=name,
        behaviour=name,
        phenomenon=_common_value(rows["phenomenon"]),
        caveat=_common_value(rows["caveat"]),
        stratum=complete["setting"],
        question=complete["setting"] + "/" + complete["question"],
        cluster=complete["setting"] + "/" + complete["cluster"],
    )


def _common_value(column: pd.Series) -> str:
    """The one value of a column, "" where there are several."""
    values = column.unique()
    return str(values[0]) if len(values) == 1 else ""
