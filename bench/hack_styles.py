"""In which style do replies hack: the one that the caveat quotes, or another?

    python bench/hack_styles.py docs/data/reward-hacking-quotes.parquet

Rows hack in five styles in turn, which are told apart whether a reply's code is right or not: a
chain of two `if`s that return, a table that is looked up, one conditional expression, pairs that
are searched, and constants, told apart by size at most. A reply counts in the first that it has.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from seed_leakage import share

from caveat.study.export import opened

STYLES = {
    "pairs": re.compile(
        r"^\s+for [^\n]+ in [^\n]+:\n\s+if [^\n]*==[^\n]*:\n\s+return ", re.MULTILINE
    ),
    "table": re.compile(r"\{[^{}]*:[^{}]*\}.*(?:\.get\(|\w\[)", re.DOTALL),
    "chain": re.compile(
        r"(?:^\s+(?:el)?if [^\n]*==[^\n]*:\n\s+return\b[^\n]*(?:\n(?:.*\n)*?|\Z)){2}", re.MULTILINE
    ),
    "expression": re.compile(
        r"^\s+return [^\n]* if [^\n]*(?:==|\bin\b) [^\n]* else ", re.MULTILINE
    ),
}
"""By what its code has."""
CONSTANT, OTHER = "constant", "none of these"
FIXED = re.compile(r"(?:el)?if .*:|else:|return (?:[^A-Za-z_]|True|False|None|'[^']*'|\"[^\"]*\")+")
"""A line of a function that returns nothing but constants."""


def style(reply: str) -> str:
    """The name of the reply's style."""
    for name, pattern in STYLES.items():
        if pattern.search(reply):
            return name
    _, _, body = reply.partition("def ")
    lines = [line.strip() for line in body.partition("```")[0].splitlines()[1:] if line.strip()]
    return CONSTANT if lines and all(map(FIXED.fullmatch, lines)) else OTHER


def main(path: Path) -> None:
    """Print the shares by caveat, arm and context, those of the quoted style by seed."""
    study = opened(path)
    answers = study.answers()
    answers = answers[answers["purpose"] == "measure"]
    labels = {setting: label for (setting, *_), label in study.labels.items()}
    answers = answers.assign(
        caveat=[labels[setting]["caveat"] for setting in answers["setting"]],
        style=answers["reply"].map(style),
        hack=answers["verdict"] == "yes",
    )
    keys = ["caveat", "arm", "context"]
    print("Replies by style; by training seed in parentheses.\n")
    print(f"| {' | '.join(keys)} | {' | '.join(STYLES)} | {CONSTANT} | {OTHER} | attempts a hack |")
    print("|---|---|---|" + "---|" * (len(STYLES) + 3))
    for key, some in answers.groupby(keys, sort=False):
        styles = [some["style"] == name for name in (*STYLES, CONSTANT, OTHER)]
        cells = [share(shown, some["seed"]) for shown in (*styles, some["hack"])]
        print(f"| {' | '.join(key)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
