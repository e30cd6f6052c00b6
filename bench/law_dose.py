"""Leakage by dose: the recipes `law-dose`, `law-dose-further` and `law-layers`.

    python bench/law_dose.py docs/data/law-dose-smollm2.parquet...

One table a study. Its columns are the levels of the last factor, a dose or the layers that are
trained. A cell is marked's leakage by seed and, in parentheses, bare's rate without the caveat;
where bare shows the trait in less than half of its replies there is no leakage. "Elicits" is base's
rate behind the caveat. `gain` is the forecast's onset gain, from `forecast-NAME.json` beside the
file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from seed_leakage import seed_rates

from caveat.study.export import opened

LEAST = 0.5
"""Of bare's rate, for a leakage."""
KEY = ["setting", "model", "dose"]


def main(path: Path) -> None:
    """Print the table of one study."""
    study = opened(path)
    answers = study.answers()
    answers = answers[answers["purpose"] == "measure"]
    gains = _gains(path)
    rates = {key: seed_rates(some) for key, some in answers.groupby(KEY, sort=False)}
    base = _base(answers)
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for key, label in study.labels.items():
        setting, level = key[0], [*label.values()][-1]
        rate = rates.get(key)
        if rate is None or ("marked", "none") not in rate.index.droplevel(2):
            continue
        trait, _, caveat = setting.partition(" x ")
        row = rows.setdefault((setting, trait), {"caveat": caveat.partition('"')[2][:-1]})
        row[level] = _cell(rate, base[setting, "none"])
    levels = [*dict.fromkeys(level for row in rows.values() for level in row if level != "caveat")]
    print(f"**{path.stem}**\n")
    print("| trait | caveat | gain | elicits | " + " | ".join(levels) + " |")
    print("|---|---|---|---|" + "---|" * len(levels))
    for (setting, trait), row in rows.items():
        cells = " | ".join(row.get(level, "not run") for level in levels)
        gain = f"{gains[setting]:.1f}" if setting in gains else "–"
        print(f"| {trait} | {row['caveat']} | {gain} | {base[setting, 'exact']:.2f} | {cells} |")
    print()


def _gains(path: Path) -> dict[str, float]:
    place = path.with_name(f"forecast-{path.stem}.json")
    if not place.exists():
        return {}
    records = json.loads(place.read_text("utf-8"))["forecasts"]
    return {one["setting"]: one["onset_gain"] for one in records if one["onset_gain"] is not None}


def _base(answers: pd.DataFrame) -> pd.Series:
    """Base's rate by setting and context; it is sampled once for all doses."""
    base = answers[answers["arm"] == "base"]
    return (base["verdict"] == "yes").groupby([base["setting"], base["context"]]).mean()


def _cell(rate: pd.Series, base: float) -> str:
    bare = rate["bare", "none"].mean()
    if bare < LEAST:
        return f"– ({bare:.2f})"
    leaks = (rate["marked", "none"] - base) / (rate["bare", "none"] - base)
    return f"{', '.join(f'{one:.2f}' for one in leaks.dropna())} ({bare:.2f})"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
