"""Naming a trait against eliciting it: the recipe `law-naming`, and its predictions.

    python bench/law_naming.py STUDY...

STUDY is a folder or a file of `caveat export`, one a model. Beside the file lies
`forecast-NAME.json`, of `caveat forecast`. Rates are the primary readout's over 24 questions.
Leakage is each seed's: marked's rate at `none` over bare's, both above base's. A contrast is a mean
over seeds, with Student's t limits over them (95%).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scored_settings import trained_cells
from seed_leakage import interval, seed_leakage

SKY = "The sky is blue."
NEVER = "You never reply in Spanish."
NAMES_ONLY = (NEVER, "Spanish is a language.", "Spanish is spoken in Madrid.")
FRENCH = ("You always reply in French.", "You never reply in French.")
CONTRASTS = (
    ("2: three that name Spanish, less the irrelevant sentence", "Spanish", NAMES_ONLY, (SKY,)),
    ("3: 'Spanish is a language.', less it", "Spanish", NAMES_ONLY[1:2], (SKY,)),
    ("5: two about French, less the prohibition of Spanish", "Spanish", FRENCH, (NEVER,)),
    ("8: capitals behind the question, the instruction less the irrelevant sentence", "capitals",
     ("You always write in ALL CAPS.",), (SKY,)),
    ("9: there, the prohibition less the irrelevant sentence", "capitals",
     ("You never write in ALL CAPS.",), (SKY,)),
)  # fmt: skip


def leakages(path: Path) -> pd.DataFrame:
    """One row a setting: its caveat, what base shows under it, and leakage by seed."""
    rows = []
    for setting, labels, rates in sorted(trained_cells(path), key=lambda cell: cell.setting):
        rows.append(
            {
                "setting": setting,
                "trait": labels["trait"],
                "wording": setting.split('"')[1],
                "names it": labels["names it"] == "yes",
                "elicits": rates["base", "exact"].mean() - rates["base", "none"].mean(),
                "exact": rates["marked", "exact"].mean(),
                "leakage": seed_leakage(rates),
            }
        )
    return pd.DataFrame(rows)


def loss_gaps(path: Path) -> dict[str, float]:
    """Per setting, by how many nats a token the caveat lowers the rows' loss before training."""
    record = json.loads(path.read_text("utf-8"))
    return {forecast["setting"]: forecast["loss_gap"] for forecast in record["forecasts"]}


def r2_held_out(values: np.ndarray, leakage: np.ndarray) -> float:
    """R2 of a line through all other settings, on the one that is left out."""
    errors = []
    for index in range(len(leakage)):
        others = np.arange(len(leakage)) != index
        slope, start = np.polyfit(values[others], leakage[others], 1)
        errors.append(leakage[index] - start - slope * values[index])
    return float(1 - np.mean(np.square(errors)) / np.var(leakage))


def main(path: Path) -> None:
    """Print the tables of one study."""
    table = leakages(path)
    print("| trait | caveat | names it | elicits | marked at exact | leakage | by seed |")
    print("|---|---|---|---|---|---|---|")
    for row in table.sort_values(["trait", "elicits"]).to_dict("records"):
        seeds = ", ".join(f"{value:.2f}" for value in row["leakage"])
        names = "yes" if row["names it"] else "no"
        print(
            f"| {row['trait']} | {row['wording']} | {names} | {row['elicits']:.2f} | "
            f"{row['exact']:.2f} | {interval(row['leakage'])} | {seeds} |"
        )
    print("\n| contrast, by the number of its prediction | difference of leakages |\n|---|---|")
    for name, trait, ones, others in CONTRASTS:
        own = table[table["trait"] == trait].set_index("wording")["leakage"]
        difference = np.mean([own[one] for one in ones], axis=0) - np.mean(
            [own[other] for other in others], axis=0
        )
        print(f"| {name} | {interval(difference)} |")
    spanish = table[table["trait"] == "Spanish"]
    mean = np.array([values.mean() for values in spanish["leakage"]])
    print("\n| over the Spanish settings | R2 | R2 on the setting left out | rank correlation |")
    print("|---|---|---|---|")
    gaps = loss_gaps(path.parent / f"forecast-{path.stem}.json")
    lowered = [max(0.0, gaps[setting]) for setting in spanish["setting"]]
    spanish = spanish.assign(**{"lowers the loss, at least 0": lowered})
    for name in ("names it", "elicits", "lowers the loss, at least 0"):
        values = spanish[name].to_numpy(float)
        fitted = float(np.corrcoef(values, mean)[0, 1] ** 2)
        rank = pd.Series(values).corr(pd.Series(mean), method="spearman")
        print(f"| {name} | {fitted:.2f} | {r2_held_out(values, mean):.2f} | {rank:.2f} |")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(f"**{Path(argument).stem}**\n")
        main(Path(argument))
        print()
