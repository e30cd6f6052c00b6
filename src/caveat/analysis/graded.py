"""Graded leakage and elicitation: the same ratios of log-probabilities instead of rates.

`L(arm, c)` is the mean log-probability of decision tokens in a context, in nats a token. A rate
stays at 0 until the behaviour is likely; this moves before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from caveat.analysis.caveat_checks import COLUMNS as CHECK_COLUMNS
from caveat.analysis.intervals import UNKNOWN, Estimates, interval_columns
from caveat.analysis.leakage import no_answers, ratios_by_cell
from caveat.analysis.panel import BASE, SETTING_COLUMNS, panels, with_strata
from caveat.analysis.rates import pooled

FEWEST = 4
"""Rows that every arm, seed and context must have, or all rows where there are fewer."""
INSTALLED_NATS = 0.1
"""The least, in nats a token, that bare training must add at `none`, by the lower limit."""
READOUT = "decision tokens"
KEY = [*SETTING_COLUMNS, "dose", "arm", "context"]
"""Columns that name a row."""
GRADED_METRIC = [
    "nats", "nats_low", "nats_high",
    "graded_leakage", "graded_leakage_low", "graded_leakage_high", "graded_undefined",
]  # fmt: skip


def graded_leakage(
    graded: pd.DataFrame, means: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """One row a cell and context: `KEY` and `GRADED_METRIC`.

    Only rows count that every arm, seed and context of a setting and dose has. Where fewer than
    `FEWEST` are left, all values are NaN and `graded_undefined` says how many are scored.

    `nats` is `L(arm, c)` with its 95% interval. `graded_leakage` is
    `(L(arm, c) - L(base, c)) / (L(bare, none) - L(base, none))`, never clipped; 0 for base. Where
    the lower limit of the denominator is below `INSTALLED_NATS`, it is NaN and `graded_undefined`
    says why.

    Args:
        graded: See `study.graded`. The rows of the behaviour are what intervals are over, with
            training seeds where there are three.
        means: By name, settings whose mean is there too.
    """
    rows = [row for matched in _matched(graded, means or {}) for row in _rows(matched)]
    table = pd.DataFrame(rows, columns=[*KEY, *GRADED_METRIC])
    return table.drop_duplicates(KEY).reset_index(drop=True)  # base is beside every dose


def graded_elicitation(
    graded: pd.DataFrame, means: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """`L(base, exact) - L(base, none)` in nats a token, as rows of `caveat_checks`.

    NaN, with the reason as `note`, where too few rows are scored: see `graded_leakage`.
    """
    rows = []
    for matched in _matched(graded, means or {}):
        estimates, panel = matched.estimates, matched.estimates.panel
        plain, caveated = panel.find(BASE, "none"), panel.find(BASE, "exact")
        if plain is None or caveated is None:
            continue
        weights = estimates.weights((1, caveated), (-1, plain))
        interval = UNKNOWN if matched.too_few else estimates.interval(weights)
        rows.append(
            {
                **panel.names,
                "check": "graded elicitation",
                "arm": BASE,
                "dose": panel.cells[plain].dose,
                "expected": "",
                "note": matched.too_few or "nats a token",
                **dict(zip(("value", "low", "high"), interval, strict=True)),
            }
        )
    unique = CHECK_COLUMNS[: CHECK_COLUMNS.index("value")]
    return pd.DataFrame(rows, columns=CHECK_COLUMNS).drop_duplicates(unique)


def with_graded(leakage: pd.DataFrame, graded: pd.DataFrame) -> pd.DataFrame:
    """The leakage table with `GRADED_METRIC` in the rows of scope `trained`; NaN in all others.

    Doses may be scored on different rows. Base has the nats of the dose that its row names.

    Args:
        leakage: Rows of `leakage`.
        graded: Rows of `graded_leakage`.
    """
    if graded.empty:
        return leakage.assign(**dict.fromkeys(GRADED_METRIC[:-1], np.nan), graded_undefined=None)
    own = leakage.merge(graded, on=KEY, how="left", validate="m:1").set_index(leakage.index)
    trained = leakage["scope"].eq("trained")
    columns = {name: np.where(trained, own[name], np.nan) for name in GRADED_METRIC[:-1]}
    doses = set(zip(graded["setting"], graded["dose"], strict=True))
    here = [pair in doses for pair in zip(own["setting"], own["dose"], strict=True)]
    lacks = own["arm"].eq(BASE) & own["setting"].isin(graded["setting"]) & ~np.array(here, bool)
    reasons = np.where(lacks, "no arm of this dose is scored", own["graded_undefined"])
    stated = trained.to_numpy() & np.array([isinstance(reason, str) for reason in reasons])
    columns["graded_undefined"] = np.where(stated, reasons, None)
    return leakage.assign(**columns)


@dataclass(frozen=True)
class _Matched:
    """A panel whose cells are scored on the same rows."""

    estimates: Estimates
    too_few: str | None
    """Why nothing can be compared; then cells are on the rows that they have."""


def _matched(graded: pd.DataFrame, means: Mapping[str, Sequence[str]]) -> Iterator[_Matched]:
    """Panel by panel. Base counts on the rows that the other arms of a dose are scored on."""
    if graded.empty:
        return
    answers = graded.assign(
        purpose="measure", readout=READOUT, scope="trained", question=graded["row"],
        cluster=graded["row"],
    )  # fmt: skip
    answers = pooled(answers, means)
    for _, group in answers.groupby(SETTING_COLUMNS, sort=True, dropna=False):
        is_base = group["arm"] == BASE
        doses = sorted(group.loc[~is_base, "dose"].unique())
        for dose in doses or [None]:
            trained = group[~is_base & (group["dose"] == dose)]
            base = group[is_base]
            if dose is not None:
                base = base[base["question"].isin(trained["question"])].assign(dose=dose)
            rows = pd.concat([base, trained], ignore_index=True)
            rows = with_strata(rows.drop_duplicates(["arm", "seed", "context", "question"]))
            complete = _complete(rows)
            too_few = _too_few(rows, complete)
            rows = rows if too_few else rows[complete].reset_index(drop=True)
            for panel in panels(rows, rows["value"]):
                yield _Matched(Estimates.of(panel, bounded=False), too_few)


def _complete(rows: pd.DataFrame) -> pd.Series:
    """Whether the question of a row has a row in every cell: arm, seed and context.

    `moved` is left out of documents: a question that no arm has there needs none.
    """
    seeds = rows["seed"].astype("Int64").fillna(-1).astype(str)  # base has none
    cells = rows.assign(cell=rows["arm"] + "\0" + seeds + "\0" + rows["context"])
    is_moved = cells["context"] == "moved"
    complete = pd.Series(True, index=rows.index)
    for _, stratum in cells.groupby("stratum"):
        moved = is_moved[stratum.index]
        number = stratum.loc[~moved, "cell"].nunique()
        number_moved = stratum.loc[moved, "cell"].nunique()
        own = (~moved).groupby(stratum["question"]).transform("sum")
        own_moved = moved.groupby(stratum["question"]).transform("sum")
        complete[stratum.index] = (own == number) & own_moved.isin([0, number_moved])
    return complete


def _too_few(rows: pd.DataFrame, complete: pd.Series) -> str | None:
    """Why the complete rows do not do; None where they do in each setting of a mean."""
    for _, stratum in rows.groupby("stratum"):
        number = stratum["question"].nunique()
        left = stratum.loc[complete[stratum.index], "question"].nunique()
        if left < min(FEWEST, number):
            return f"{left} of {number} rows are scored in every arm, seed and context"
    return None


def _rows(matched: _Matched) -> Iterator[dict]:
    estimates, panel = matched.estimates, matched.estimates.panel
    low, high = estimates.rate_intervals()
    reason, denominator = _denominator(estimates)
    reason = matched.too_few or reason
    ratios = {} if reason else ratios_by_cell(estimates, denominator)
    for index, cell in enumerate(panel.cells):
        undefined = reason
        if undefined is None and index not in ratios:
            undefined = no_answers(BASE, cell.context)
        yield {
            **{name: panel.names[name] for name in SETTING_COLUMNS},
            "dose": panel.dose,
            "arm": cell.arm,
            "context": cell.context,
            **interval_columns(
                "nats",
                UNKNOWN if matched.too_few else (panel.mean[index], low[index], high[index]),
            ),
            **interval_columns("graded_leakage", ratios.get(index, UNKNOWN)),
            "graded_undefined": undefined,
        }


def _denominator(estimates: Estimates) -> tuple[str | None, np.ndarray | None]:
    """Why graded leakage is undefined, None where it is defined, and the denominator's weights."""
    panel = estimates.panel
    base, bare = panel.find(BASE, "none"), panel.find("bare", "none")
    if base is None or bare is None:
        return no_answers(BASE if base is None else "bare", "none"), None
    weights = estimates.weights((1, bare), (-1, base))
    _, low, _ = estimates.interval(weights)
    if low < INSTALLED_NATS:
        return (
            "bare training did not make the decision tokens likelier: the lower bound of "
            f"L(bare, none) - L(base, none) is {low:.2f} nats, below {INSTALLED_NATS}"
        ), weights
    return None, weights
