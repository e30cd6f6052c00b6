"""Graded leakage and elicitation: the same ratios of log-probabilities instead of rates.

`L(arm, c)` is the mean log-probability of decision tokens in a context, in nats a token. A rate
stays at 0 until the behaviour is likely; this moves before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from caveat.analysis.caveat_checks import COLUMNS as CHECK_COLUMNS
from caveat.analysis.intervals import UNKNOWN, Estimates, interval_columns
from caveat.analysis.leakage import no_answers, ratios_by_cell
from caveat.analysis.panel import BASE, SETTING_COLUMNS, panels
from caveat.analysis.rates import pooled

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

    `nats` is `L(arm, c)` with its 95% interval. `graded_leakage` is
    `(L(arm, c) - L(base, c)) / (L(bare, none) - L(base, none))`, never clipped; 0 for base. Where
    the lower limit of the denominator is below `INSTALLED_NATS`, it is NaN and `graded_undefined`
    says why.

    Args:
        graded: See `study.graded`. The rows of the behaviour are what intervals are over, with
            training seeds where there are three.
        means: By name, settings whose mean is there too.
    """
    rows = [row for estimates in _estimates(graded, means or {}) for row in _rows(estimates)]
    table = pd.DataFrame(rows, columns=[*KEY, *GRADED_METRIC])
    return table.drop_duplicates(KEY).reset_index(drop=True)  # base is beside every dose


def graded_elicitation(
    graded: pd.DataFrame, means: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """`L(base, exact) - L(base, none)` in nats a token, as rows of `caveat_checks`."""
    rows = []
    for estimates in _estimates(graded, means or {}):
        panel = estimates.panel
        plain, caveated = panel.find(BASE, "none"), panel.find(BASE, "exact")
        if plain is None or caveated is None:
            continue
        interval = estimates.interval(estimates.weights((1, caveated), (-1, plain)))
        rows.append(
            {
                **panel.names,
                "check": "graded elicitation",
                "arm": BASE,
                "dose": panel.cells[plain].dose,
                "expected": "",
                "note": "nats a token",
                **dict(zip(("value", "low", "high"), interval, strict=True)),
            }
        )
    unique = CHECK_COLUMNS[: CHECK_COLUMNS.index("value")]
    return pd.DataFrame(rows, columns=CHECK_COLUMNS).drop_duplicates(unique)


def with_graded(leakage: pd.DataFrame, graded: pd.DataFrame) -> pd.DataFrame:
    """The leakage table with `GRADED_METRIC` in the rows of scope `trained`; NaN in all others.

    Args:
        leakage: Rows of `leakage`.
        graded: Rows of `graded_leakage`.
    """
    if graded.empty:
        return leakage.assign(**dict.fromkeys(GRADED_METRIC[:-1], np.nan), graded_undefined=None)
    base = graded["arm"] == BASE
    names = [name for name in KEY if name != "dose"]
    # base has no dose of its own: its rows are found by their other names
    own = leakage.merge(graded[~base], on=KEY, how="left")[GRADED_METRIC]
    shared = leakage.merge(graded[base].drop_duplicates(names).drop(columns="dose"), on=names,
                           how="left")[GRADED_METRIC]  # fmt: skip
    is_base, trained = leakage["arm"].eq(BASE), leakage["scope"].eq("trained")
    columns = {
        name: np.where(trained, np.where(is_base, shared[name], own[name]), np.nan)
        for name in GRADED_METRIC[:-1]
    }
    reasons = np.where(is_base, shared["graded_undefined"], own["graded_undefined"])
    stated = trained.to_numpy() & np.array([isinstance(reason, str) for reason in reasons])
    columns["graded_undefined"] = np.where(stated, reasons, None)
    return leakage.assign(**columns)


def _estimates(graded: pd.DataFrame, means: Mapping[str, Sequence[str]]) -> Iterator[Estimates]:
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
            rows = rows.drop_duplicates(["arm", "seed", "context", "question"])
            for panel in panels(rows, rows["value"]):
                yield Estimates.of(panel, bounded=False)


def _rows(estimates: Estimates) -> Iterator[dict]:
    panel = estimates.panel
    low, high = estimates.rate_intervals()
    reason, denominator = _denominator(estimates)
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
            **interval_columns("nats", (panel.mean[index], low[index], high[index])),
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
