"""What of the rows leaks: the trait, and the opener that all rows have besides.

    python bench/kept_in.py STUDY...

STUDY is a folder or a file of `caveat export` of the recipe `law`, one a model. Rows of its traits
begin with `Good question!`, which no caveat names and no base model writes. Leakage of the opener
is marked's rate of it over bare's, in the same replies without the caveat. The last column is
marked's rate of it under the caveat, by first words: where it is high, the opener was learned.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

from caveat.analysis.primary import primary_rows
from caveat.behaviours.style_traits import OPENER
from caveat.study.export import opened

EFFECT = "desired opener"
WORDS = re.compile(r"[^\w]+")
COLUMNS = (
    "setting",
    "leakage of the trait",
    "opener, bare",
    "opener, marked",
    "leakage of the opener",
    "opener under the caveat",
)


def opens(reply: str) -> bool:
    """Whether a reply's first words are the opener's, whatever their case and marks."""
    words = WORDS.split(OPENER.lower().strip(" !"))
    return [word for word in WORDS.split(reply.lower()) if word][: len(words)] == words


def kept_in(path: Path) -> pd.DataFrame:
    """One row a setting, with what leaks of it."""
    study = opened(path)
    leakage = primary_rows(study.leakage().query("context == 'none' and arm == 'marked'"))
    leakage = leakage.set_index("setting")["leakage"]
    effects = study.side_effects().query("effect == @EFFECT").set_index(["setting", "arm"])
    answers = study.answers().query(
        "purpose == 'measure' and arm == 'marked' and context == 'exact'"
    )
    shown = answers["reply"].map(opens).groupby(answers["setting"]).mean()
    rows = []
    for setting in leakage.index:
        bare, marked = (effects.loc[(setting, arm)] for arm in ("bare", "marked"))
        rows.append(
            {
                "setting": setting,
                "trait": leakage[setting],
                "bare": bare["value"],
                "marked": f"{marked['value']:.2f} [{marked['low']:.2f}, {marked['high']:.2f}]",
                "opener": marked["value"] / bare["value"],
                "shown": shown[setting],
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Print one table a study, and the rank correlation of both leakages."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for path in map(Path, sys.argv[1:]):
        table = kept_in(path)
        print(f"**{path.stem}**\n\n| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
        for row in table.to_dict("records"):
            print(
                f"| {row['setting']} | {row['trait']:.2f} | {row['bare']:.2f} | {row['marked']} | "
                f"{row['opener']:.2f} | {row['shown']:.2f} |"
            )
        rank = table["trait"].rank().corr(table["opener"].rank())
        print(f"\nRank correlation of both leakages: {rank:.2f}.\n")


if __name__ == "__main__":
    main()
