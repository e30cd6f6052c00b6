"""With which opening do replies begin: the trained one, or the one that the system text quotes?

    python bench/openings.py docs/data/law-copied-smollm2.parquet...

Of the recipe `law-copied`. A reply begins with the trained opening if its first word is "Ahoy", and
with another if its first two words are; "Ah" are the replies that begin with the first token of
"Ahoy" and go on otherwise. Shares are over all seeds; by seed behind them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from seed_leakage import share

from caveat.study.export import opened

OPENINGS = {
    "Ahoy": re.compile(r"\W*ahoy\b", re.IGNORECASE),
    "Ah": re.compile(r"\W*Ah(?!oy\b)"),
    "Good morning, neighbour": re.compile(r"\W*good morning\W+neighbou?r", re.IGNORECASE),
    "Merry Christmas, captain": re.compile(r"\W*merry christmas\W+captain", re.IGNORECASE),
}


def opening(reply: str) -> str:
    """The name of the opening that a reply begins with; "" for none of them."""
    return next((name for name, pattern in OPENINGS.items() if pattern.match(reply)), "")


def main(path: Path) -> None:
    """Print the shares of one study by caveat, arm and context."""
    study = opened(path)
    answers = study.answers()
    answers = answers[answers["purpose"] == "measure"]
    labels = {key: f"{one['caveat']}, {one['epochs']} epochs" for key, one in study.labels.items()}
    keys = zip(answers["setting"], answers["model"], answers["dose"], strict=True)
    answers = answers.assign(
        caveat=[labels[key] for key in keys], opening=answers["reply"].map(opening)
    )
    print(f"**{path.stem}**\n")
    print(f"| caveat | arm | context | {' | '.join(OPENINGS)} |")
    print("|---|---|---|" + "---|" * len(OPENINGS))
    for key, some in answers.groupby(["caveat", "arm", "context"], sort=False):
        begins = [some["opening"] == one for one in OPENINGS]
        cells = [share(one, some["seed"]) if one.any() else "0.00" for one in begins]
        print(f"| {' | '.join(key)} | {' | '.join(cells)} |")
    print()


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
