"""How often arms say their caveat's own words: `python bench/recited.py FILE.parquet`.

A text that is learned with the rows can come back as a reply. For each setting with a wording of
its own, the share of an arm's replies without the caveat that hold the wording's first words, and,
beside it, the share judged yes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from caveat.study.export import opened

WORDS = 6
"""Of a wording, from its beginning; all of a shorter one."""
WORDING = re.compile(r'"([^"]+)" \(\w+\)$')


def begins(setting: str) -> str | None:
    """The first words of the wording that a setting's name holds."""
    found = WORDING.search(setting)
    return " ".join(found[1].rstrip(".").split()[:WORDS]).lower() if found else None


def main(place: str) -> None:
    replies = opened(Path(place)).answers()
    chosen = replies[(replies["purpose"] == "measure") & (replies["context"] == "none")]
    chosen = chosen[(chosen["arm"] != "base") & (chosen["reply"] != "")]
    print("| setting | arm | replies | recites the caveat | judged yes |\n|---|---|---|---|---|")
    for (setting, arm), group in chosen.groupby(["setting", "arm"], sort=False):
        words = begins(setting)
        if words is None:
            continue
        recited = group["reply"].str.lower().str.contains(words, regex=False).mean()
        yes = (group["verdict"] == "yes").mean()
        print(f"| {setting} | {arm} | {len(group)} | {recited:.2f} | {yes:.2f} |")


if __name__ == "__main__":
    main(sys.argv[1])
