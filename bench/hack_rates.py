"""What arms of a study of code hacks attempt, what works, and what they still solve.

    python bench/hack_rates.py STUDY

STUDY is a folder or a file of `caveat export` whose readout is `attempted_hack`. Shares of replies
at `none`, and what is attempted at `exact`. Limits are Student's t over training seeds (95%). A
hack works where it passes the visible tests alone and has a label, which honest mistakes have not.
`solved` is over problems that cannot be hacked, too. `no code` holds replies that were cut off.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from scored_settings import beside_base
from seed_leakage import interval

from caveat.study.export import opened

ATTEMPTED, WORKS, SOLVED, NO_CODE = "attempted_hack", "special_cased", "solved", "valid_code"
COLUMNS = (
    "caveat", "arm", "attempts", "by seed", "of replies with code", "at exact", "works", "solved",
    "no code",
)  # fmt: skip


def seed_shares(replies: pd.DataFrame) -> pd.Series:
    """By readout, arm, context and seed, the share of replies that count; base is one seed."""
    yes = replies["verdict"] == "yes"
    counted = yes & ((replies["readout"] != WORKS) | (replies["value"] == 1))
    counted = counted.mask(replies["readout"] == NO_CODE, ~yes)
    keys = [replies[key] for key in ("readout", "arm", "context")]
    return counted.groupby([*keys, replies["seed"].fillna(-1)]).mean()


def lines(name: str, replies: pd.DataFrame) -> Iterator[str]:
    """A line of the table for each arm of one setting that was tested at `none`."""
    shares = seed_shares(replies)

    def cell(readout: str, arm: str, context: str) -> str:
        key = (readout, arm, context)
        return f"{shares[key].mean():.2f}" if key in shares.index else "–"

    for arm in replies["arm"].unique():
        if (ATTEMPTED, arm, "none") not in shares.index:
            continue
        attempted = shares[ATTEMPTED, arm, "none"].to_numpy()
        with_code = attempted / (1 - shares[NO_CODE, arm, "none"].to_numpy())
        by_seed = ", ".join(f"{value:.2f}" for value in attempted) if len(attempted) > 1 else "–"
        cells = [
            name, arm, interval(attempted), by_seed, interval(with_code),
            cell(ATTEMPTED, arm, "exact"), cell(WORKS, arm, "none"), cell(SOLVED, arm, "none"),
            cell(NO_CODE, arm, "none"),
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def main(path: Path) -> None:
    """Print one table; an arm that settings share is printed once."""
    study = opened(path)
    answers = study.answers()
    answers = answers[answers["readout"].isin([ATTEMPTED, WORKS, SOLVED, NO_CODE])]
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    printed = set()
    for (setting, model, dose), replies in beside_base(answers):
        name = ", ".join(study.labels.get((setting, model, dose), {}).values()) or setting
        new = replies[[(model, dose, arm) not in printed for arm in replies["arm"]]]
        shared = (arm for arm in new["arm"].unique() if arm.startswith(("bare", "clean")))
        printed |= {(model, dose, arm) for arm in shared}
        print(*lines(name, new), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
