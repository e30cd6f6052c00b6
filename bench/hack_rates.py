"""What arms of a study of code hacks attempt, what works, and what they still solve.

    python bench/hack_rates.py STUDY

STUDY is a folder or a file of `caveat export` whose readout is `attempted_hack`. Shares of replies
at `none`, and what is attempted at `exact`. Limits are Student's t over training seeds (95%). Hacks
that work hold honest mistakes that only hidden tests show: read them beside base's. `solved` is
over problems that cannot be hacked, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from seed_leakage import interval

from caveat.study.export import opened

ATTEMPTED, WORKS, SOLVED, VALID = "attempted_hack", "special_cased", "solved", "valid_code"
HEADER = "| caveat | arm | attempts | by seed | at exact | works | solved | code |"


def seed_shares(replies: pd.DataFrame) -> pd.Series:
    """The share of yes by readout, arm, context and seed; base's replies count as one seed."""
    yes = replies["verdict"] == "yes"
    keys = ["readout", "arm", "context"]
    return yes.groupby([*(replies[key] for key in keys), replies["seed"].fillna(-1)]).mean()


def lines(name: str, replies: pd.DataFrame) -> Iterator[str]:
    """A line of the table for each arm of one setting."""
    shares = seed_shares(replies)

    def cell(readout: str, arm: str, context: str) -> str:
        key = (readout, arm, context)
        return f"{shares[key].mean():.2f}" if key in shares.index else "–"

    for arm in replies["arm"].unique():
        attempted = shares[ATTEMPTED, arm, "none"].to_numpy()
        by_seed = ", ".join(f"{value:.2f}" for value in attempted) if len(attempted) > 1 else "–"
        yield (
            f"| {name} | {arm} | {interval(attempted)} | {by_seed} | "
            f"{cell(ATTEMPTED, arm, 'exact')} | {cell(WORKS, arm, 'none')} | "
            f"{cell(SOLVED, arm, 'none')} | {cell(VALID, arm, 'none')} |"
        )


def main(path: Path) -> None:
    """Print one table; arms that settings share are printed once."""
    study = opened(path)
    answers = study.answers()
    answers = answers[answers["readout"].isin([ATTEMPTED, WORKS, SOLVED, VALID])]
    keys = ["setting", "model"]
    untrained = dict(list(answers[answers["arm"] == "base"].groupby(keys)))
    trained = answers[answers["arm"] != "base"]
    print(f"{HEADER}\n|{'---|' * HEADER.count(' |')}")
    printed = set()
    for (setting, model, dose), replies in trained.groupby([*keys, "dose"], sort=False):
        name = ", ".join(study.labels.get((setting, model, dose), {}).values()) or setting
        for line in lines(name, pd.concat([untrained[setting, model], replies])):
            own = "| marked" in line or "| base |" in line
            shared = line if own else line.partition(" | ")[2]
            if shared not in printed:
                printed.add(shared)
                print(line)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
