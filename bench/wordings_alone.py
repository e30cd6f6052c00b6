"""Do several wordings together leak more than each alone: `wordings-alone` and `wordings-mixed`.

    python bench/wordings_alone.py docs/data/wordings-alone-0.5b.parquet...

Leakage of every wording and of every set of them, by seed. D is what the caveat adds to the
log-probability of the decision token under base, and gain the same of it and the five tokens behind
it (nats), from `forecast-NAME.json` beside the file where that is there. Below the table, by seed,
the mean of the wordings that stand alone and each set less it. Then how two curves do over those
that stand alone, as they were registered (docs/predictions/wordings.md): nothing is fitted.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from scored_settings import IRRELEVANT, figure, measured, r2
from seed_leakage import interval

from caveat.forecast.onset_curve import expected_leakage

CENTRE, WIDTH = 3.0, 0.5
"""Of the curve of D."""


def curve_of_decision(nats: float) -> float:
    """The leakage to expect by what the caveat adds to the decision token."""
    return 1 / (1 + math.exp((nats - CENTRE) / WIDTH))


CURVES = {"gain": expected_leakage, "D": curve_of_decision}


def figures(path: Path) -> dict[str, dict[str, float]]:
    """D and gain by setting; empty without a forecast."""
    forecast = path.parent / f"forecast-{path.stem}.json"
    if not forecast.is_file():
        return {}
    every = json.loads(forecast.read_text("utf-8"))["forecasts"]
    names = {"D": "graded_elicitation", "gain": "onset_gain"}
    return {
        one["setting"]: {name: figure(one, own, forecast) for name, own in names.items()}
        for one in every
    }


def label(setting: str) -> str:
    """A wording, or the name of a set of them."""
    return setting.split('"')[1] if '"' in setting else f"**{setting.partition(' x ')[2]}**"


def main(paths: list[Path]) -> None:
    """Print the wordings and the comparison, study by study."""
    for path in paths:
        leakage, nats = measured(path), figures(path)
        alone = [name for name in leakage if '"' in name and IRRELEVANT not in name]
        if not alone or len({len(leakage[name]) for name in leakage}) != 1:
            sys.exit(f"{path}: the study is not finished, or its bare arm shows no capitals")
        alone.sort(key=lambda name: leakage[name].mean())
        print(f"**{path.stem}**\n\n| wording | D | gain | leakage | by seed |")
        print("|---|---|---|---|---|")
        for name in [*alone, *(name for name in leakage if name not in alone)]:
            own = [f"{nats[name][which]:.1f}" if nats else "–" for which in ("D", "gain")]
            seeds = ", ".join(f"{value:.2f}" for value in leakage[name])
            cells = [label(name), *own, interval(leakage[name]), seeds]
            print(f"| {' | '.join(cells)} |")
        singles = np.array([leakage[name] for name in alone])
        spread = singles.mean(1).std(ddof=1)
        print(f"\nThe {len(alone)} alone: {interval(singles.mean(0))}, standard deviation among "
              f"them {spread:.2f}.")  # fmt: skip
        for name in leakage:
            if '"' not in name:
                less = leakage[name] - singles.mean(0)
                by_seed = ", ".join(f"{value:.2f}" for value in less)
                print(f"{label(name)} less these: {interval(less)} ({by_seed}).")
        means = singles.mean(1)
        for which, curve in CURVES.items() if nats and spread > 0 else ():
            own = np.array([nats[name][which] for name in alone])
            expected = np.array([curve(value) for value in own])
            rank, error = spearmanr(own, means)[0], np.abs(expected - means).mean()
            print(
                f"{which}: rank {rank:.2f}; its curve has R2 {r2(expected, means):.2f}, mean error "
                f"{error:.2f}."
            )
        print()


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
