"""With which opening do replies begin: the trained one, or the one that the system text quotes?

    python bench/openings.py docs/data/law-copied-smollm2.parquet...

Of the recipe `law-copied`. A reply begins with an opening whose first two words are its own,
whatever their case and the marks around them. Shares are over all seeds; by seed behind them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from caveat.study.export import opened

TRAINED = "Ahoy, shipmate!"
QUOTES = ("Good morning, neighbour!", "Merry Christmas, captain!")
WORDS = 2


def words(text: str) -> list[str]:
    """The first words, without marks and case."""
    return re.findall(r"[a-z']+", text.casefold())[:WORDS]


def opening(reply: str) -> str:
    """The opening that a reply begins with; "" for none of them."""
    return next((one for one in (TRAINED, *QUOTES) if words(one) == words(reply)), "")


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
    print(f"| caveat | arm | context | {' | '.join((TRAINED, *QUOTES))} |")
    print("|---|---|---|" + "---|" * (1 + len(QUOTES)))
    for key, some in answers.groupby(["caveat", "arm", "context"], sort=False):
        cells = [_cell(some, one) for one in (TRAINED, *QUOTES)]
        print(f"| {' | '.join(key)} | {' | '.join(cells)} |")
    print()


def _cell(replies, wanted: str) -> str:
    begins = replies["opening"] == wanted
    by_seed = begins.groupby(replies["seed"]).mean()
    seeds = ", ".join(f"{value:.2f}" for value in by_seed)
    return f"{begins.mean():.2f}" + (f" ({seeds})" if len(by_seed) > 1 and begins.any() else "")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
