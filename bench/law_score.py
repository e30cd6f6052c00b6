"""Leakage by trait and caveat in studies of the recipe `law`, and the contrasts of its predictions.

    python bench/law_score.py STUDY...

STUDY is a folder or a file of `caveat export`, one a model. Values are the primary readout's at
`none`. A contrast is the mean over traits of a difference of leakages; its interval is Student's t
over the traits, of which there are four: it says how other traits would differ, at this model.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from caveat.analysis.primary import primary_rows
from caveat.diagnostics.intervals import t_limits
from caveat.study.export import opened

CONTRASTS = (
    ("instruction, system", "irrelevant, system"),
    ("instruction, after", "instruction, system"),
    ("instruction in many wordings, system", "instruction, system"),
    ("permission, system", "instruction, system"),
    ("prohibition, system", "permission, system"),
    ("prohibition, system", "irrelevant, system"),
    ("vague instruction, system", "irrelevant, system"),
    ("trigger, system", "irrelevant, system"),
)


def leakages(path: Path) -> pd.DataFrame:
    """One row a setting: trait, caveat with place, leakage, graded leakage, rates of all arms."""
    study = opened(path)
    table = study.leakage()
    arms = primary_rows(table[table["context"] == "none"])
    factors = study.labels
    rows = []
    for row in arms[arms["arm"] == "marked"].to_dict("records"):
        labels = factors[row["setting"], row["model"], row["dose"]]
        caveat = (
            "instruction in many wordings" if "wordings" in labels["caveat"] else labels["caveat"]
        )
        rows.append(
            {
                "model": row["model"],
                "trait": labels["trait"],
                "caveat": f"{caveat}, {labels['place']}",
                "rate": row["rate"],
                "leakage": row["leakage"],
                "graded": row.get("graded_leakage"),
            }
        )
    return pd.DataFrame(rows)


def contrast(table: pd.DataFrame, one: str, other: str) -> str:
    """The mean of the differences over traits, its 95% limits, and each difference."""
    wide = table.pivot(index="trait", columns="caveat", values="leakage")
    values = (wide[one] - wide[other]).dropna()
    mean, low, high = t_limits(values.to_numpy(float))
    traits = ", ".join(f"{trait} {value:.2f}" for trait, value in values.items())
    return f"{mean:+.2f} [{low:.2f}, {high:.2f}]  ({traits})"


def main(paths: list[str]) -> None:
    """Print tables and contrasts, model by model."""
    for path in paths:
        table = leakages(Path(path))
        for value in ("leakage", "graded"):
            wide = table.pivot(index="caveat", columns="trait", values=value)
            print(f"\n{table['model'][0]}: {value} of marked at none")
            print(wide.assign(mean=wide.mean(axis=1)).round(2).to_string())
        print()
        for one, other in CONTRASTS:
            print(f"{one} less {other}: {contrast(table, one, other)}")


if __name__ == "__main__":
    main(sys.argv[1:])
