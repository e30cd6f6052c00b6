"""Of the recipe `reward-hacking-quotes`: do replies hack in the quoted style, or in another?

    python bench/hack_styles.py docs/data/reward-hacking-quotes.parquet

Rows hack in four styles in turn: a chain of two `if`s that return, a table, one expression, a list
that is searched. Two caveats quote a chain. A reply counts as a chain with two `if ... == ...:`
whose next line returns, whether its code is right or not.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from caveat.study.export import opened

BRANCH = re.compile(r"^\s+if [^\n]*==[^\n]*:\n\s+return ", re.MULTILINE)


def is_chain(reply: str) -> bool:
    """Whether the reply has the quoted style."""
    return len(BRANCH.findall(reply)) >= 2


def main(path: Path) -> None:
    """Print the shares by caveat, arm and context, and of chains those by seed."""
    study = opened(path)
    answers = study.answers()
    answers = answers[answers["purpose"] == "measure"]
    caveats = {setting: label["caveat"] for (setting, *_), label in study.labels.items()}
    answers = answers.assign(
        caveat=answers["setting"].map(caveats),
        chain=answers["reply"].map(is_chain),
        hack=answers["verdict"] == "yes",
    )
    keys = ["caveat", "arm", "context"]
    shares = answers.groupby(keys, sort=False)[["chain", "hack"]].mean()
    by_seed = answers.groupby([*keys, "seed"])["chain"].mean()
    print("| caveat | arm | context | a chain of ifs, as quoted | by seed | attempts a hack |")
    print("|---|---|---|---|---|---|")
    for key, row in shares.iterrows():
        seeds = ", ".join(f"{value:.2f}" for value in by_seed[key]) if key[1] != "base" else ""
        print(f"| {' | '.join(key)} | {row['chain']:.2f} | {seeds} | {row['hack']:.2f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
