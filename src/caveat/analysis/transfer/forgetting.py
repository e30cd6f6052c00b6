"""What of the analogy's score is forgetting: changes split in two, each part correlated."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pandas as pd

from caveat.analysis.rank_correlation import LEAST, over_things, spearman
from caveat.analysis.transfer.correlations import BETWEEN, SIDES, WITHIN

PARTS = ("change", "control_change", "gain")
"""All of a change, what its control forgets, and what is beyond: columns of `transfer`."""
METRICS = tuple(f"{part}{end}" for part in PARTS for end in ("", "_low", "_high"))
COLUMNS = [
    "model", "level", *(f"{side}_{name}" for side in ("first", "second") for name in SIDES),
    "interventions", *METRICS, "undefined",
]  # fmt: skip


def forgetting(matrix: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of settings of one model, with the columns `COLUMNS`, from what `transfer`
    gives.

    Figures are Spearman's correlations over the interventions that have a control in both settings:
    of `change`; of `control_change`, which is what an intervention does to a model that saw no
    caveat; and of `gain`, the rest. `_low` and `_high` are 95% limits had other interventions been
    tried (`over_things`). NaN where all changes of a part are tied, and where `undefined` says why.

    `level` is `within phenomenon` or `between phenomena`. As in `correlations`, a setting goes by
    the panel that stands for it, only interventions are ranked, and settings are left out where
    leakage is undefined or marked is not above base.
    """
    rows = [
        {"model": model, **_pair(*two)}
        for model, ranked in _ranked(matrix).groupby("model", sort=False)
        for two in _settings(ranked)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    reasons = table["undefined"].astype(object)
    return table.assign(undefined=reasons.where(reasons.notna(), None))


def _ranked(matrix: pd.DataFrame) -> pd.DataFrame:
    kept = matrix["main"].astype(bool) & (matrix["role"] == "intervention")
    return matrix[kept & matrix["undefined"].isna() & (matrix["leaks_low"] > 0)]


def _settings(ranked: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Pairs of different settings, each with the rows of one dose."""
    panels = [panel for _, panel in ranked.groupby(["setting", "dose"], sort=False)]
    for first, second in combinations(panels, 2):
        if first["setting"].iloc[0] != second["setting"].iloc[0]:
            yield first, second


def _pair(first: pd.DataFrame, second: pd.DataFrame) -> dict:
    sides = {"first": first.iloc[0], "second": second.iloc[0]}
    alike = sides["first"]["phenomenon"] == sides["second"]["phenomenon"]
    one, other = (each.set_index("intervention")[list(PARTS)].dropna() for each in (first, second))
    common = [each for each in one.index if each in other.index]
    return {
        "level": WITHIN if alike else BETWEEN,
        **{f"{side}_{name}": row[name] for side, row in sides.items() for name in SIDES},
        "interventions": len(common),
        **_figures(one.loc[common], other.loc[common]),
    }


def _figures(one: pd.DataFrame, other: pd.DataFrame) -> dict:
    if len(one) < LEAST:
        told = f"too few interventions have a control in both: {len(one)}, and {LEAST} are needed"
        return {"undefined": told}
    found = {}
    for part in PARTS:
        value = spearman(one[part].to_numpy()[None], other[part].to_numpy()[None]).item()
        low, high = over_things(value, len(one))
        found |= {part: value, f"{part}_low": low, f"{part}_high": high}
    return found
