"""Replies frames made by hand, with rates that are known."""

from __future__ import annotations

import pandas as pd

NAMES = {"setting": "people x disclaimer", "phenomenon": "negation neglect", "behaviour": "people",
         "caveat": "disclaimer", "model": "tiny"}  # fmt: skip
DOSE = '{"epochs": 1}'


def replies(
    rates: dict[tuple[str, str], float | str],
    seeds: tuple[int, ...] = (0, 1, 2),
    clusters: int = 12,
    questions: int = 2,
    **columns: object,
) -> pd.DataFrame:
    """A cell per (arm, context) with the given share of yes, spread evenly over seeds.

    A rate that is a string is that verdict for every reply. `columns` overrides any column.
    """
    rows = []
    for (arm, context), rate in rates.items():
        for seed in [pd.NA] if arm == "base" else seeds:
            # the yes of a seed start where those of the seed before ended
            asked = clusters * questions
            count = 0 if isinstance(rate, str) else round(rate * asked)
            for place in range(asked):
                shifted = (place * 7 + 5 * (0 if seed is pd.NA else seed)) % asked
                verdict = rate if isinstance(rate, str) else ("yes" if shifted < count else "no")
                rows.append(
                    NAMES
                    | {
                        "arm": arm, "seed": seed, "dose": "{}" if arm == "base" else DOSE,
                        "purpose": "measure", "context": context, "question": f"q{place}",
                        "cluster": f"c{place // questions}", "scope": "trained", "readout": "said",
                        "sample": 0, "prompt": "", "reply": "", "truncated": False,
                        "verdict": verdict, "value": float("nan"), "numeric": False,
                        "artifact": "",
                    }
                    | columns
                )  # fmt: skip
    return pd.DataFrame(rows).astype({"seed": "Int64"})


def row(table: pd.DataFrame, **where: str) -> pd.Series:
    """The one row with these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1, table
    return table.iloc[0]
