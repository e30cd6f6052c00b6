"""How much of the correlation between settings is forgetting: each part of a change by itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pandas as pd

from caveat.analysis.intervals import interval_columns
from caveat.analysis.leakage import with_reasons
from caveat.analysis.rank_correlation import LEAST, limits_over_items, spearman
from caveat.analysis.transfer.correlations import BETWEEN, SIDES, WITHIN

PARTS = ("change", "control_change", "gain")
"""A whole change, what its control forgets, and the rest: columns of `matrix.transfer`."""
METRICS = tuple(f"{part}{end}" for part in PARTS for end in ("", "_low", "_high"))
COLUMNS = [
    "model", "level", *(f"{side}_{name}" for side in ("first", "second") for name in SIDES),
    "interventions", *METRICS, "undefined",
]  # fmt: skip


def forgetting(matrix: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of settings of one model, with the columns `COLUMNS`.

    Values are Spearman's correlations over the interventions that have a control in both settings:
    of `change`; of `control_change`, which is what an intervention does to a model that saw no
    caveat; and of `gain`, the rest. `_low` and `_high` are 95% limits had other interventions been
    tried (`limits_over_items`). NaN where all changes of a part are tied, and where `undefined`
    says why.

    `level` is `within phenomenon` or `between phenomena`. As in `correlations`, only the primary
    panel of a setting counts, only interventions are ranked, and settings are left out where
    leakage is undefined or marked is not above base.

    Args:
        matrix: See `matrix.transfer`.
    """
    rows = [
        {"model": model, **_pair(*two)}
        for model, ranked in _ranked(matrix).groupby("model", sort=False)
        for two in _settings(ranked)
    ]
    return with_reasons(pd.DataFrame(rows, columns=COLUMNS))


def _ranked(matrix: pd.DataFrame) -> pd.DataFrame:
    ranked = matrix["primary"].astype(bool) & (matrix["role"] == "intervention")
    return matrix[ranked & matrix["undefined"].isna() & (matrix["leaks_low"] > 0)]


def _settings(ranked: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Pairs of different settings, each with the rows of one dose."""
    panels = [panel for _, panel in ranked.groupby(["setting", "dose"], sort=False)]
    for first, second in combinations(panels, 2):
        if first["setting"].iloc[0] != second["setting"].iloc[0]:
            yield first, second


def _pair(first: pd.DataFrame, second: pd.DataFrame) -> dict:
    sides = {"first": first.iloc[0], "second": second.iloc[0]}
    alike = sides["first"]["phenomenon"] == sides["second"]["phenomenon"]
    one, other = (
        panel.set_index("intervention")[list(PARTS)].dropna() for panel in (first, second)
    )
    common = [name for name in one.index if name in other.index]
    return {
        "level": WITHIN if alike else BETWEEN,
        **{f"{side}_{name}": row[name] for side, row in sides.items() for name in SIDES},
        "interventions": len(common),
        **_correlations(one.loc[common], other.loc[common]),
    }


def _correlations(one: pd.DataFrame, other: pd.DataFrame) -> dict:
    if len(one) < LEAST:
        count = f"{len(one)}, and {LEAST} are needed"
        return {"undefined": f"too few interventions have a control in both: {count}"}
    correlations = {}
    for part in PARTS:
        value = spearman(one[part].to_numpy()[None], other[part].to_numpy()[None]).item()
        correlations |= interval_columns(part, (value, *limits_over_items(value, len(one))))
    return correlations
