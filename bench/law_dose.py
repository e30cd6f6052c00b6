"""Leakage by dose: the recipes `law-dose`, `law-dose-further` and `law-layers`.

    python bench/law_dose.py docs/data/law-dose-smollm2.parquet...

One table a study. Its columns are the levels of the last factor, a dose or the layers that are
trained. A cell is marked's leakage by seed and, in parentheses, bare's rate without the caveat;
where bare shows the trait in less than half of its replies there is no leakage. "Elicits" is base's
rate behind the caveat. `gain` is the forecast's onset gain and `left` the surprisal that the caveat
leaves to the decision token, both in nats, from `forecast-NAME.json` beside the file. Of forms with
a fixed opening, "begins" is the share of marked's replies at `none` that begin with the first token
of it, whatever comes behind: a verdict asks for the whole opening.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from scored_settings import FIRST_TOKENS
from seed_leakage import seed_leakage, seed_rates

from caveat.study.export import opened

LEAST = 0.5
"""Of bare's rate, for a leakage."""
KEY = ["setting", "model", "dose"]


def main(path: Path) -> None:
    """Print the table of one study."""
    study = opened(path)
    answers = study.answers()
    answers = answers[answers["purpose"] == "measure"]
    forecasts = _forecasts(path)
    replies = dict(iter(answers.groupby(KEY, sort=False)))
    rates = {key: seed_rates(some) for key, some in replies.items()}
    base = _base(answers)
    rows: dict[str, dict[str, str]] = {}
    for key, label in study.labels.items():
        setting, level = key[0], [*label.values()][-1]
        rate = rates.get(key)
        if rate is None or ("marked", "none") not in rate.index.droplevel(2):
            continue
        cell = _cell(rate, base[setting, "none"]) + _begins(replies[key])
        rows.setdefault(setting, {})[level] = cell
    levels = [*dict.fromkeys(level for row in rows.values() for level in row)]
    print(f"**{path.stem}**\n")
    print("| trait | caveat | gain | left | elicits | " + " | ".join(levels) + " |")
    print("|---|---|---|---|---|" + "---|" * len(levels))
    for setting, row in rows.items():
        trait, _, caveat = setting.partition(" x ")
        wording = caveat.partition('"')[2][:-1]
        cells = " | ".join(row.get(level, "not run") for level in levels)
        forecast = " | ".join(forecasts.get(setting, ("–", "–")))
        elicits = base[setting, "exact"]
        print(f"| {trait} | {wording} | {forecast} | {elicits:.2f} | {cells} |")
    print()


def _forecasts(path: Path) -> dict[str, tuple[str, str]]:
    """By setting, the onset's gain and the decision token's surprisal with the caveat."""
    place = path.with_name(f"forecast-{path.stem}.json")
    if not place.exists():
        return {}
    return {
        one["setting"]: (f"{one['onset_gain']:.1f}", f"{one['nats_marked']:.1f}")
        for one in json.loads(place.read_text("utf-8"))["forecasts"]
        if one["onset_gain"] is not None
    }


def _base(answers: pd.DataFrame) -> pd.Series:
    """Base's rate by setting and context; it is sampled once for all doses."""
    base = answers[answers["arm"] == "base"]
    return (base["verdict"] == "yes").groupby([base["setting"], base["context"]]).mean()


def _cell(rate: pd.Series, base: float) -> str:
    seeds = rate["bare", "none"].index.intersection(rate["marked", "none"].index)
    shown = rate["bare", "none"][seeds].mean()
    leaks = ", ".join(f"{one:.2f}" for one in seed_leakage(rate, base))
    return f"{leaks if shown >= LEAST else '–'} ({shown:.2f})"


def _begins(replies: pd.DataFrame) -> str:
    """How many of marked's replies at `none` begin with the trait's first token."""
    trait = replies["behaviour"].iloc[0]
    if trait not in FIRST_TOKENS:
        return ""
    some = replies[(replies["arm"] == "marked") & (replies["context"] == "none")]
    return f"; begins {some['reply'].str.match(FIRST_TOKENS[trait]).mean():.2f}"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
