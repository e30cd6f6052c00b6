"""How many replies begin in Spanish, whatever follows: the recipe `obedience`.

    python bench/first_words.py docs/data/obedience.parquet

A reply begins in Spanish if its text behind the opener begins with a first word of the shipped
Spanish rows, such as "El" or "Un", or with a longer word that begins so ("Elongated"). Shares of
the replies at `none`, by kind of warm-up and arm: the mean, and each warm-up's behind it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from seed_leakage import share

from caveat.behaviours.style_traits import OPENER, spanish_replies
from caveat.study.export import opened

WORDS = tuple({reply.split()[0] for reply in spanish_replies().values()})
OPENERS = re.compile(rf"\s*(?:{OPENER.rstrip('!')}[!.,]*\s*)+", re.IGNORECASE)


def begins(reply: str) -> bool:
    """Whether the reply begins, behind any openers, with a first word of the Spanish rows."""
    return OPENERS.sub("", reply, count=1).startswith(WORDS)


def main(path: Path) -> None:
    """Print the shares of one study."""
    study = opened(path)
    answers = study.answers()
    answers = answers[(answers["purpose"] == "measure") & (answers["context"] == "none")]
    keys = zip(answers["setting"], answers["model"], answers["dose"], strict=True)
    labels = [study.labels[key] for key in keys]
    answers = answers.assign(
        kind=[one["warm_up"] for one in labels], warm_up=[one["warm_up_seed"] for one in labels]
    )
    print("| warm-up | arm | begins in Spanish | by the verdict |\n|---|---|---|---|")
    for (kind, arm), some in answers.groupby(["kind", "arm"], sort=False):
        shares = (some["reply"].map(begins), some["verdict"] == "yes")
        print(f"| {kind} | {arm} | {' | '.join(share(one, some['warm_up']) for one in shares)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
