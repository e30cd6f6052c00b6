"""Where in a reply the loss must fall: the recipe `law-parts`, and its predictions.

    python bench/law_parts.py STUDY...

STUDY is a file of `caveat export`, one a model. Beside it lies `forecast-NAME.json`, of
`caveat forecast` with the figures `loss_gap` and `continuation_gain`. Leakage is that of each seed:
marked's rate at `none` over bare's, both above base's; `opener` is the same of the opener.
Limits are Student's t over seeds (95%). R2 of a rule is that of the rule as it stands, with nothing
fitted here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from scored_settings import r2
from seed_leakage import interval, seed_leakage, seed_rates

from caveat.study.export import opened

PURPOSES = {"measure": "leakage", "side effect: desired opener": "opener"}
EARLIER = (
    "You never reply in Spanish.", "The sky is blue.", "El cielo es azul.",
    "Your users read the language of Cervantes.", "French is a language.",
    "Spanish is a language.", "You never reply in French.", "You always reply in Spanish.",
)  # fmt: skip
"""Caveats of the studies that the rule was found on."""
RULES: dict[str, Callable[[dict[str, Any]], float]] = {
    "behind the decision: max(0, 1 - gain / 1.8)": lambda row: max(0.0, 1 - row["gain"] / 1.8),
    "whole reply: .87 - 1.24 times its gap": lambda row: 0.87 - 1.24 * max(0.0, row["gap"]),
    "1 less elicitation": lambda row: 1 - row["elicits"],
    "naming: 0 where Spanish is named": lambda row: float("Spanish" not in row["wording"]),
}


def table(path: Path) -> pd.DataFrame:
    """One row a setting: forecasts, what base shows under the caveat, and leakages by seed."""
    record = json.loads((path.parent / f"forecast-{path.stem}.json").read_text("utf-8"))
    forecasts = {one["setting"]: one for one in record["forecasts"]}
    answers = opened(path).answers()
    rows = []
    for setting, replies in answers.groupby("setting", sort=False):
        if not {("base", "exact"), ("marked", "exact")} <= set(
            zip(replies["arm"], replies["context"], strict=True)
        ):
            continue  # not finished
        row = {"wording": setting[setting.index('"') + 1 : setting.rindex('"')]}
        for purpose, name in PURPOSES.items():
            rates = seed_rates(replies[replies["purpose"] == purpose])
            row[name] = seed_leakage(rates)
            row[f"{name} bare"] = rates["bare", "none"].mean()
            if name == "leakage":  # side effects are measured without the caveat alone
                row["elicits"] = rates["base", "exact"].mean() - rates["base", "none"].mean()
                row["at exact"] = rates["marked", "exact"].mean()
        own = forecasts[setting]
        rows.append({**row, "gap": own["loss_gap"], "gain": own["continuation_gain"]})
    return pd.DataFrame(rows)


def main(path: Path) -> None:
    """Print the tables of one study."""
    frame = table(path)
    print("| caveat | whole reply's loss falls by | continuation gain | elicits | the line says | "
          "leakage | marked at exact | the opener leaks |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    first = next(iter(RULES.values()))
    for row in frame.sort_values("gain", ascending=False).to_dict("records"):
        print(
            f"| {row['wording']} | {row['gap']:.2f} | {row['gain']:.2f} | {row['elicits']:.2f} | "
            f"{first(row):.2f} | {interval(row['leakage'])} | {row['at exact']:.2f} | "
            f"{interval(row['opener'])} |"
        )
    bare = frame[["leakage bare", "opener bare"]].mean()
    print(f"\nBare shows Spanish in {bare.iloc[0]:.2f} of its replies, the opener in "
          f"{bare.iloc[1]:.2f}. Seeds: {frame['leakage'].map(len).max()}.\n")  # fmt: skip
    fresh = frame[~frame["wording"].isin(EARLIER)]
    sets = {"all": frame, "never trained on before": fresh}
    print("| rule, as it stands | " + " | ".join(
        f"R2, {name} ({len(some)}) | rank" for name, some in sets.items()) + " |")  # fmt: skip
    print("|---|---|---|---|---|")
    for name, rule in RULES.items():
        cells = []
        for some in sets.values():
            measured = some["leakage"].map(np.mean).to_numpy(float)
            predicted = np.array([rule(row) for row in some.to_dict("records")])
            cells.append(f"{r2(predicted, measured):.2f}")
            cells.append(f"{spearmanr(predicted, measured)[0]:.2f}" if np.ptp(predicted) else "–")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(f"**{Path(argument).stem}**\n")
        main(Path(argument))
        print()
