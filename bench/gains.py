"""Do settings rank interventions alike by what these do beyond forgetting?

`caveat transfer` correlates changes of leakage. A change is what an intervention does to a model
that saw no caveat (the control's change: forgetting) and what it does beyond that (the gain); this
prints Spearman's correlation of each part, pair by pair. Settings where marked does not leak are
left out, as there.

    python bench/gains.py docs/data/transfer.parquet
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import pandas as pd
from scipy.stats import spearmanr

from caveat.study.exported import opened

PARTS = {"change": "all of it", "control_change": "forgetting", "gain": "beyond forgetting"}


def correlations(matrix: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of settings, a column a part, over the interventions that both have."""
    chosen = matrix[matrix["main"].astype(bool) & (matrix["role"] == "intervention")]
    leaking = chosen[chosen["leaks_low"] > 0]
    parts = {
        part: leaking.pivot(index="intervention", columns="setting", values=part) for part in PARTS
    }
    rows = []
    for one, other in combinations(dict.fromkeys(leaking["setting"]), 2):
        row: dict[str, object] = {"settings": f"{one}, {other}"}
        for part, said in PARTS.items():
            both = parts[part][[one, other]].dropna()
            row |= {said: spearmanr(both[one], both[other])[0], "interventions": len(both)}
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    found = correlations(opened(Path(sys.argv[1])).transfer())
    print(found.round(2).to_string(index=False))
