"""How forecasts of leakage do in behaviours that none of them was made with: `law-replies`.

    python bench/law_replies.py docs/data/law-replies-smollm2.parquet...

Rules are taken as they stand. `share` is the onset's gain over what four rows as examples in front
of the question, in place of the caveat, add to the same tokens (`reply_parts.py examples`). A score
is R2, in brackets 95% percentiles over resamples of settings, the rank correlation, and R2 as a yes
or a no. Below the table are the limits of the gain's R2 over resamples of forms. Leakage is the
mean over seeds; with more than one, by seed behind it.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from onsets import RULES
from scored_settings import IRRELEVANT, RESAMPLES, Rule, Rules, figure, measured, r2, scored

from caveat.forecast.onsets import TOKENS

CENTRE, WIDTH = 0.33, 0.07
"""Of the curve of the share: docs/predictions/law-replies.md."""
BEHAVIOUR_RULES: Rules = {
    "gain: the curve of D + 5 B": RULES["sum: the curve of D + 5 B"],
    "share of what examples add": lambda row: 1 / (1 + math.exp((row["share"] - CENTRE) / WIDTH)),
    "decision token: max(0, 1 - D / 8)": RULES["decision: max(0, 1 - D / 8)"],
    "short training": lambda row: row["short"],
}

FIXED = ("sailor", "hedged", "json_reply")
"""Forms with a fixed opening, which a caveat can quote."""


def settings(path: Path, model: str) -> pd.DataFrame:
    """One row a setting that is finished and whose bare arm shows the form."""
    leakage, folder = measured(path), path.parent
    forecasts = folder / f"forecast-{path.stem}.json"
    most = _examples(folder / "reply-parts" / f"examples-{model}.parquet")
    rows = []
    for one in json.loads(forecasts.read_text("utf-8"))["forecasts"]:
        if one["setting"] in leakage:
            form = one["behaviour"]
            decision = max(0.0, figure(one, "graded_elicitation", forecasts))
            behind = figure(one, "continuation_gain", forecasts)
            rows.append(
                {
                    "form": form,
                    "caveat": one["caveat"].partition('"')[2][:-1],
                    "D": decision,
                    "B": behind,
                    "share": (decision + TOKENS * behind) / most[form] if most else math.nan,
                    "short": one["short_horizon"],
                    "leakage": leakage[one["setting"]],
                }
            )
    return pd.DataFrame(rows)


def _examples(path: Path) -> dict[str, float]:
    """By form, what four rows as examples add to the first six tokens; empty where none are."""
    if not path.is_file():
        return {}
    added = pd.read_parquet(path).groupby("behaviour")[["decision", "behind"]].mean()
    return (added["decision"] + TOKENS * added["behind"]).to_dict()


def limits_over_forms(frame: pd.DataFrame, expect: Rule) -> tuple[float, float]:
    """95% percentiles of R2 over resamples of the forms, each with all of its settings."""
    leaked = frame["mean"].to_numpy(float)
    predicted = np.array([expect(row) for row in frame.to_dict("records")])
    places = [np.flatnonzero(frame["form"] == form) for form in frame["form"].unique()]
    generator = np.random.default_rng(0)
    values = []
    for picked in generator.integers(len(places), size=(RESAMPLES, len(places))):
        pick = np.concatenate([places[number] for number in picked])
        values.append(r2(predicted[pick], leaked[pick]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def main(paths: list[Path]) -> None:
    """Print scores by model, then every setting."""
    models = [path.stem.removeprefix("law-replies-") for path in paths]
    frames = {model: settings(path, model) for path, model in zip(paths, models, strict=True)}
    print("**R2 of a rule as it stands [limits], rank correlation, R2 as a yes or a no**\n")
    print("| settings | number | " + " | ".join(BEHAVIOUR_RULES) + " |")
    print("|---|---|" + "---|" * len(BEHAVIOUR_RULES))
    for model, frame in frames.items():
        frame["mean"] = frame["leakage"].map(np.mean)
        is_fixed = frame["form"].isin(FIXED)
        groups = [
            (model, frame),
            (f"{model}, a fixed opening", frame[is_fixed]),
            (f"{model}, the others", frame[~is_fixed]),
            (f"{model}, without the irrelevant sentence", frame[frame["caveat"] != IRRELEVANT]),
            *((f"{model}, {form}", some) for form, some in frame.groupby("form", sort=False)),
        ]
        for name, some in groups:
            if len(some) > 2 and np.ptp(some["mean"]) > 0.2:
                print(scored(name, some, BEHAVIOUR_RULES))
    expect = BEHAVIOUR_RULES["gain: the curve of D + 5 B"]
    for model, frame in frames.items():
        low, high = limits_over_forms(frame, expect)
        print(f"\n{model}, the gain's R2, resampled by form: [{low:.2f}, {high:.2f}].")
    print("\n**Every setting**\n")
    print("| model | form | caveat | D | B | share | short | gain expects | leakage |")
    print("|---|---|---|---|---|---|---|---|---|")
    for model, frame in frames.items():
        for row in frame.to_dict("records"):
            seeds = ", ".join(f"{value:.2f}" for value in row["leakage"])
            by_seed = f" ({seeds})" if len(row["leakage"]) > 1 else ""
            share, short = (
                "–" if pd.isna(row[name]) else f"{row[name]:.2f}" for name in ("share", "short")
            )
            print(
                f"| {model} | {row['form']} | {row['caveat']} | {row['D']:.2f} | {row['B']:.2f} | "
                f"{share} | {short} | {expect(row):.2f} | {row['mean']:.2f}{by_seed} |"
            )


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
