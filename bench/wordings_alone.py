"""Do sixteen wordings together leak more than each alone does: the study `wordings-alone`.

    python bench/wordings_alone.py docs/data/wordings-alone-0.5b.parquet...

Leakage of every wording by seed, with the gain of the first six tokens under base (nats), which is
read from `forecast-NAME.json` beside the file where that is there. Below it, by seed, the mean of
the wordings that stand alone and what all together leak.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from scored_settings import IRRELEVANT, figure, measured
from seed_leakage import interval

from caveat.forecast.onset_curve import expected_leakage

TOGETHER = "(16 wordings)"


def gains(path: Path) -> dict[str, float]:
    """The onset's gain by setting; empty without a forecast."""
    forecast = path.parent / f"forecast-{path.stem}.json"
    if not forecast.is_file():
        return {}
    found = json.loads(forecast.read_text("utf-8"))["forecasts"]
    return {one["setting"]: figure(one, "onset_gain", forecast) for one in found}


def main(paths: list[Path]) -> None:
    """Print the wordings and the comparison, model by model."""
    for path in paths:
        leakage, gain = measured(path), gains(path)
        alone = [name for name in leakage if not name.endswith(TOGETHER) and IRRELEVANT not in name]
        alone.sort(key=lambda name: leakage[name].mean())
        together = next((v for name, v in leakage.items() if name.endswith(TOGETHER)), None)
        if together is None or len({len(leakage[name]) for name in alone}) != 1:
            sys.exit(f"{path}: the study is not finished, or its bare arm shows no capitals")
        print(f"**{path.stem}**\n\n| wording | gain | gain expects | leakage | by seed |")
        print("|---|---|---|---|---|")
        for name in [*alone, *(name for name in leakage if name not in alone)]:
            expected = f"{expected_leakage(gain[name]):.2f}" if gain else "–"
            nats = f"{gain[name]:.1f}" if gain else "–"
            seeds = ", ".join(f"{value:.2f}" for value in leakage[name])
            label = name.split('"')[1] if '"' in name else "all sixteen together"
            print(f"| {label} | {nats} | {expected} | {interval(leakage[name])} | {seeds} |")
        singles = np.array([leakage[name] for name in alone])
        spread = singles.mean(1).std(ddof=1)
        print(
            f"\nThe {len(alone)} alone: {interval(singles.mean(0))}; standard deviation among them "
            f"{spread:.2f}. Together: {interval(together)}."
        )
        by_seed = ", ".join(f"{value:.2f}" for value in together - singles.mean(0))
        print(f"Together less alone: {interval(together - singles.mean(0))} ({by_seed}).")
        if gain and np.ptp(singles.mean(1)) > 0:
            rank = spearmanr([gain[name] for name in alone], singles.mean(1))[0]
            print(f"Rank correlation of gain and leakage among the {len(alone)}: {rank:.2f}.")
        print()


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
