"""Does the first token of a quoted opening come back where the caveat leaves it unlikely?

    python bench/first_tokens.py docs/data/law-first-token-0.5b.parquet...

Of the recipe `law-first-token`. `left` is the surprisal that a caveat leaves to the decision token
under base, `gain` what it adds to the first six tokens, both in nats, from `forecast-NAME.json`
beside the file. `begins` is the share of marked's replies at `none` that begin with the first token
of the opening, whatever comes behind it, over all seeds and by seed; `whole` is leakage by the
verdict, which asks for the whole opening. Below are rank correlations over the caveats that quote.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from law_dose import FIRST_TOKENS
from law_replies import IRRELEVANT
from scipy.stats import spearmanr
from seed_leakage import seed_leakage, seed_rates, share

from caveat.study.export import opened


def caveats(path: Path) -> pd.DataFrame:
    """One row a setting that is finished."""
    answers = opened(path).answers()
    replies = answers[answers["purpose"] == "measure"]
    forecasts = json.loads(path.with_name(f"forecast-{path.stem}.json").read_text("utf-8"))
    rows = []
    for one in forecasts["forecasts"]:
        some = replies[replies["setting"] == one["setting"]]
        rates = seed_rates(some)
        if ("marked", "none") not in rates.index.droplevel(2):
            continue
        at_none = some[(some["arm"] == "marked") & (some["context"] == "none")]
        begins = at_none["reply"].str.match(FIRST_TOKENS[one["behaviour"]])
        rows.append(
            {
                "form": one["behaviour"],
                "caveat": one["caveat"].partition('"')[2][:-1],
                "left": one["nats_marked"],
                "gain": one["onset_gain"],
                "elicits": rates["base", "exact"].mean(),
                "bare": rates["bare", "none"].mean(),
                "begins": begins.mean(),
                "by seed": share(begins, at_none["seed"]),
                "whole": float(np.mean(seed_leakage(rates))),
            }
        )
    return pd.DataFrame(rows)


def main(path: Path) -> None:
    """Print every caveat of one study, then the correlations."""
    frame = caveats(path)
    print(f"**{path.stem}**\n")
    print("| form | caveat | left | gain | elicits | bare | begins (by seed) | whole |")
    print("|---|---|---|---|---|---|---|---|")
    for row in frame.to_dict("records"):
        print(
            f"| {row['form']} | {row['caveat']} | {row['left']:.1f} | {row['gain']:.1f} | "
            f"{row['elicits']:.2f} | {row['bare']:.2f} | {row['by seed']} | {row['whole']:.2f} |"
        )
    quoting = frame[frame["caveat"] != IRRELEVANT]
    print("\n| caveats that quote | number | left and begins | gain and begins | mean whole |")
    print("|---|---|---|---|---|")
    for name, some in [("all", quoting), *quoting.groupby("form", sort=False)]:
        left, gain = (spearmanr(some[column], some["begins"])[0] for column in ("left", "gain"))
        print(f"| {name} | {len(some)} | {left:.2f} | {gain:.2f} | {some['whole'].mean():.2f} |")
    print()


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
