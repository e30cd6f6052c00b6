"""Which diagnostic goes with leakage: each scored over settings and arms, as forecasts are.

Most may fail. A diagnostic that orders nothing says nothing about behaviour, however plausible.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from caveat.analysis.differences import holm
from caveat.analysis.held_out_regression import HeldOutRegression
from caveat.analysis.intervals import ALPHA, interval_columns
from caveat.analysis.primary import primary_rows
from caveat.analysis.rank_correlation import LEAST, p_value, percentile_limits, spearman
from caveat.diagnostics.activations import at_depth
from caveat.diagnostics.records import PLACE
from caveat.diagnostics.subjects import BARE, BASE, EXACT, MARKED, NONE
from caveat.diagnostics.updates import ALL, OTHER, SAME
from caveat.forecast.records import FIGURES

if TYPE_CHECKING:
    from pandas import DataFrame

LEAST_SETTINGS = 8
"""Settings below which no verdict is given."""
TRUST, DO_NOT_TRUST, TOO_FEW = "trust", "do not trust", "too few settings to say"
AT_NONE, ELSEWHERE = "leakage at none", "leakage in other contexts"
FORECASTS = "forecasts"
"""Name of the table of what was forecast: see `forecast_table`."""
CELL_COLUMNS = (
    *PLACE, "behaviour", "arm", "context", "target", "diagnostic", "value", "leakage", "left_out",
)  # fmt: skip
SCORE_COLUMNS = (
    "target", "diagnostic", "cells", "settings", "left_out", "rank", "rank_low", "rank_high", "p",
    "p_holm", "r2", "r2_low", "r2_high", "r2_behaviours", "r2_models", "trusted", "verdict",
    "undefined",
)  # fmt: skip


def diagnostic_cells(tables: Mapping[str, DataFrame], leakage: DataFrame) -> DataFrame:
    """One row a diagnostic and marked arm: its value and the leakage, with `CELL_COLUMNS`.

    Two targets. `leakage at none`: of arms, against figures of their weights, outputs and states
    and of their setting. `leakage in other contexts`: of arms in each context but `none` and
    `exact`, against how far the context looks like the caveat to the base model. Where a setting
    has several readouts or scopes, the primary one counts. `left_out` says why a row is not scored.
    A table of one's own is scored at `none` by its name where it has the columns `setting`,
    `model`, `dose`, `arm` and `value`.

    Args:
        tables: As `diagnose` returns them, of one study or several put together.
        leakage: Rows of `Study.leakage()` of these.
    """
    values = pd.DataFrame(
        [*_values(tables), *_of_rates(leakage)],
        columns=[*PLACE, "arm", "context", "target", "diagnostic", "value"],
    )
    measured = leakage.assign(dose=leakage["dose"].map(canonical))
    measured = primary_rows(measured).drop_duplicates([*PLACE, "arm", "context"])
    measured = measured[[*PLACE, "behaviour", "arm", "context", "leakage"]]
    values = values.assign(dose=values["dose"].map(canonical))
    per_arm = _spread_over_arms(values, measured)
    cells = per_arm.merge(measured, on=[*PLACE, "arm", "context"], how="left", indicator=True)
    missing = cells["_merge"] == "left_only"
    reasons = np.where(missing, "not measured", np.where(cells["leakage"].isna(), "undefined", ""))
    return cells.assign(left_out=reasons)[[*CELL_COLUMNS]]


def forecast_table(records: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Forecasts as a table beside the diagnostics: one row an arm and figure.

    Args:
        records: As `Study.forecasts()` gives them.
    """
    rows = [
        {"setting": record["setting"], "model": record["model"],
         "dose": json.dumps(record["dose"], sort_keys=True), "arm": record["arm"],
         "figure": figure, "value": record[figure]}
        for record in records
        for figure in FIGURES
        if record.get(figure) is not None
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=[*PLACE, "arm", "figure", "value"])


def canonical(dose: str) -> str:
    """A dose as JSON, its fields in order."""
    return json.dumps(json.loads(dose), sort_keys=True)


def _spread_over_arms(values: DataFrame, measured: DataFrame) -> DataFrame:
    """What belongs to a setting, given to each of its marked arms."""
    is_marked = measured["arm"].str.partition("+")[0] == MARKED
    marked = measured[is_marked][[*PLACE, "arm", "context"]].drop_duplicates()
    of_setting = values[values["arm"] == ""].drop(columns="arm")
    own = values[values["arm"] != ""]
    return pd.concat([own, of_setting.merge(marked, on=[*PLACE, "context"])], ignore_index=True)[
        values.columns
    ]


Value = tuple[str, str, str, str, str, str, str, float]


def _values(tables: Mapping[str, DataFrame]) -> Iterator[Value]:
    """Place, arm ("" for the whole setting), context, target, name of the diagnostic, value."""
    for name, read in READERS.items():
        if name in tables and len(tables[name]):
            yield from read(tables[name])
    for name, table in tables.items():
        if name not in READERS and {*PLACE, "arm", "value"} <= {*table.columns}:
            own = table[_marked(table)].groupby([*PLACE, "arm"], as_index=False)["value"].mean()
            for row in own.to_dict("records"):
                yield _at_none(row, name, row["value"])


def _of_updates(table: DataFrame) -> Iterator[Value]:
    whole = table[(table["by"] == ALL) & (table["reference"] == BARE) & _marked(table)]
    bare = table[(table["by"] == ALL) & (table["arm"] == BARE)]
    norms = bare.groupby(PLACE)["norm"].mean()
    for row in whole.to_dict("records"):
        place = tuple(row[name] for name in PLACE)
        if row["seeds_compared"] == SAME:
            yield _at_none(row, "cosine with bare, same seed", row["cosine"])
            yield _at_none(row, "share in bare's subspace, same seed", row["both_share"])
            if place in norms.index:
                yield _at_none(row, "norm over bare's", row["norm"] / norms[place])
        elif row["seeds_compared"] == OTHER:
            yield _at_none(row, "cosine with bare, other seeds", row["cosine"])
            yield _at_none(row, "corrected cosine with bare", row["corrected"])


def _of_decision_tokens(table: DataFrame) -> Iterator[Value]:
    for row in table[_marked(table) & (table["context"] == NONE)].to_dict("records"):
        yield _at_none(row, "graded leakage", row["graded_leakage"])
    base = table[table["arm"] == BASE].set_index([*PLACE, "context"])["nats"]
    for key in base.xs(EXACT, level="context").index if _has_exact(base) else ():
        shift = base[(*key, EXACT)] - base[(*key, NONE)]
        yield (*key, "", NONE, AT_NONE, "graded elicitation", float(shift))


def _has_exact(base: pd.Series) -> bool:
    return EXACT in base.index.get_level_values("context")


def _of_divergences(table: DataFrame) -> Iterator[Value]:
    for row in table.to_dict("records"):
        place = tuple(row[name] for name in PLACE)
        if row["context"] == EXACT:
            name = "divergence of the caveat from none"
            yield (*place, "", NONE, AT_NONE, name, row["from_none"])
            continue
        for name in ("from_none", "from_exact", "towards_exact"):
            context = row["context"]
            yield (*place, "", context, ELSEWHERE, f"divergence {name}", row[name])


def _of_movements(table: DataFrame) -> Iterator[Value]:
    at_none = table[_marked(table) & (table["context"] == NONE)]
    for _, some in at_none.groupby(PLACE):
        for row in at_depth(some).to_dict("records"):
            yield _at_none(row, "movement along bare's direction", row["share"])
            yield _at_none(row, "length of movement", row["distance"])


def _of_held_probe(table: DataFrame) -> Iterator[Value]:
    at_none = table[_marked(table) & (table["context"] == NONE)]
    for _, some in at_none.groupby(PLACE):
        for row in at_depth(some).to_dict("records"):
            yield _at_none(row, "states taken for bare's", row["held"])


def _of_caveat_probe(table: DataFrame) -> Iterator[Value]:
    neutral = table[table["against"] == "neutral text"]
    for _, some in neutral.groupby(PLACE):
        for row in at_depth(some).to_dict("records"):
            if row["arm"].partition("+")[0] == MARKED:
                yield _at_none(row, "caveat read by a probe", row["accuracy"])


def _of_gradients(table: DataFrame) -> Iterator[Value]:
    """At the first step, before anything is learned."""
    start = table[(table["by"] == ALL) & (table["step"] == 0) & _marked(table)]
    names = ["cosine_bare", "product_none", "bare_product_none"]
    for row in start.groupby([*PLACE, "arm"], as_index=False)[names].mean().to_dict("records"):
        yield _at_none(row, "gradient: cosine with bare's", row["cosine_bare"])
        if row["bare_product_none"] > 0:
            pull = row["product_none"] / row["bare_product_none"]
            yield _at_none(row, "gradient: pull on the preference over bare's", pull)


def _of_answers(table: DataFrame) -> Iterator[Value]:
    for row in table[_marked(table)].to_dict("records"):
        yield _at_none(row, "leakage when bare has begun", row["leakage_first"])
        yield _at_none(row, "gate", row["gate"])


def _of_patching(table: DataFrame) -> Iterator[Value]:
    chosen = table[_marked(table) & (table["context"] == EXACT) & (table["part"] == "caveat")]
    for row in chosen[chosen["direction"] == "restored"].to_dict("records"):
        yield _at_none(row, "carried by the caveat's keys and values", row["share"])


def _of_forecasts(table: DataFrame) -> Iterator[Value]:
    for row in table.to_dict("records"):
        yield _at_none(row, f"forecast: {row['figure']}", row["value"])
        if row["figure"] == "loss_gap":  # where a caveat raises the loss, rows leak as without one
            yield _at_none(row, "forecast: loss_gap, at least 0", max(row["value"], 0.0))


def _of_rates(leakage: DataFrame) -> Iterator[Value]:
    """Elicitation as the study measured it: how often base shows the behaviour behind the caveat.

    A yardstick, no forecast: its questions are those of leakage.
    """
    base = leakage[leakage["arm"] == BASE]
    if base.empty:
        return
    base = primary_rows(base)
    rates = base.pivot_table(index=PLACE, columns="context", values="rate")
    if {NONE, EXACT} <= {*rates}:
        for key, value in (rates[EXACT] - rates[NONE]).dropna().items():
            yield (*key, "", NONE, AT_NONE, "elicitation, measured", float(value))


READERS = {
    "gradients": _of_gradients,
    "training_answers": _of_answers,
    "patching": _of_patching,
    FORECASTS: _of_forecasts,
    "update_summary": _of_updates,
    "decision_tokens": _of_decision_tokens,
    "divergences": _of_divergences,
    "movements": _of_movements,
    "held_probe": _of_held_probe,
    "caveat_probe": _of_caveat_probe,
}


def _marked(table: DataFrame) -> pd.Series:
    return table["arm"].str.partition("+")[0] == MARKED


def _at_none(row: dict, name: str, value: float) -> Value:
    place = tuple(row[key] for key in PLACE)
    return (*place, row["arm"], NONE, AT_NONE, name, float(value))  # type: ignore[return-value]


def diagnostic_scores(cells: DataFrame, draws: int = 2000, seed: int = 0) -> DataFrame:
    """One row a target and diagnostic, with the columns `SCORE_COLUMNS`.

    `rank` is Spearman's correlation of the diagnostic with leakage over cells; `r2` is that of a
    straight line fitted on all settings but one and applied to that one (see `HeldOutRegression`):
    below 0 it is worse than the mean of the others. Limits are 95% percentiles over resampled
    settings. `trusted`: the lower limit of `r2` is above 0, so it predicts new settings.
    `undefined` says why there is nothing: too few settings. A setting is a behaviour and a caveat,
    at all doses and on all models.

    `p` is two-sided, of the rank correlation, by settings' leakages in random order;
    `p_holm` is corrected for all diagnostics of the target. `r2_behaviours` and `r2_models` are R2
    with a behaviour, or a model, left out at a time; NaN with fewer than three. Settings of one
    behaviour share rows and bare arms, so `r2` may only tell behaviours apart.

    `verdict` is `trust` where `p_holm` is at most .05 as well, and neither of these R2 is below 0;
    else `do not trust`; `too few settings to say` below `LEAST_SETTINGS`, where a line through so
    few points may predict the next one by chance.

    Args:
        cells: See `diagnostic_cells`.
        draws: Resamples behind the limits.
        seed: Of the resamples.
    """
    rows = [
        _score(target, name, some, draws, seed)
        for (target, name), some in cells.groupby(["target", "diagnostic"], sort=False)
    ]
    table = pd.DataFrame(rows, columns=[*SCORE_COLUMNS])
    for _, some in table.groupby("target"):
        table.loc[some.index, "p_holm"] = holm(some["p"].to_numpy(float))
    enough = table["settings"] >= LEAST_SETTINGS
    trust = table["trusted"].astype(bool) & (table["p_holm"].astype(float) <= ALPHA)
    for name in UNITS:
        trust &= ~(table[name].astype(float) < 0)
    verdict = np.where(~enough, TOO_FEW, np.where(trust, TRUST, DO_NOT_TRUST))
    return table.assign(
        verdict=verdict, undefined=table["undefined"].where(table["undefined"].notna(), None)
    )


UNITS = {"r2_behaviours": "behaviour", "r2_models": "model"}
"""By the R2, what is left out at a time."""
MOST_ORDERS = 999
"""Random orders of settings behind a p-value, at most."""


def _p(cells: DataFrame, draws: int, seed: int) -> float:
    """Of the rank correlation over cells, by settings' leakages in random order.

    A setting's arms, on each model, stay together: leakages of another setting take the places of
    the same arms. Doses are averaged.
    """
    columns = ["model", "arm", *(["context"] if cells["context"].nunique() > 1 else [])]
    values, leakages = (
        cells.pivot_table(index="setting", columns=columns, values=name).to_numpy(float)
        for name in ("value", "leakage")
    )
    generator = np.random.default_rng(seed)
    true = _rank(values, leakages)
    shuffled = np.array(
        [
            _rank(values, leakages[generator.permutation(len(leakages))])
            for _ in range(min(draws, MOST_ORDERS))
        ]
    )
    return float("nan") if np.isnan(true) else p_value(true, shuffled[~np.isnan(shuffled)])


def _rank(values: np.ndarray, leakages: np.ndarray) -> float:
    """Spearman's correlation over the places where both are there."""
    both = np.isfinite(values) & np.isfinite(leakages)
    if both.sum() < LEAST:
        return float("nan")
    return float(spearman(values[both][None], leakages[both][None])[0])


def _score(target: str, name: str, cells: DataFrame, draws: int, seed: int) -> dict:
    usable = cells[cells["leakage"].notna() & np.isfinite(cells["value"].astype(float))]
    settings = usable["setting"].nunique()
    row = {
        "target": target, "diagnostic": name, "cells": len(usable), "settings": settings,
        "left_out": len(cells) - len(usable), "trusted": False, "undefined": None,
    }  # fmt: skip
    if settings < LEAST:
        return row | {
            "undefined": f"{settings} settings with a value and a leakage; {LEAST} are needed"
        }
    values = usable["value"].to_numpy(float)
    regression = HeldOutRegression.of(
        usable["leakage"].to_numpy(float), usable["setting"].to_numpy(), draws, seed
    )
    for key, resampled in (
        ("rank", regression.rank_correlation(values)),
        ("r2", regression.r2(values[:, None])),
    ):
        row |= interval_columns(key, (resampled[0], *percentile_limits(resampled[1:])))
    for column, unit in UNITS.items():
        if usable[unit].nunique() >= LEAST:
            own = HeldOutRegression.of(
                usable["leakage"].to_numpy(float), usable[unit].to_numpy(str), 1, seed
            )
            row[column] = float(own.r2(values[:, None])[0])
    row["p"] = _p(usable.assign(value=values), draws, seed)
    return row | {"trusted": bool(row["r2_low"] > 0)}
