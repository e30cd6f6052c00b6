"""What each sentence in a prompt brings back: `python bench/gate_sentences.py STUDY`.

For studies with the readout `prefers_bad` (docs/narrow-to-broad.md). A context such as `near_miss`
has several sentences, one a question. The change is the lead of the bad answer with the sentence
less that of the same question and policy without any, in nats: means over questions, then Student's
t limits over seeds (95%). Questions differ between the sentences of a context.
"""

from __future__ import annotations

import sys
from itertools import takewhile
from pathlib import Path

import pandas as pd
from leads import compared, printed
from seed_leakage import interval

from caveat.study.export import opened

KEY = ["setting", "arm", "scope", "question"]


def inserted(prompt: str, plain: str) -> str:
    """What a prompt has that the plain one has not: the text between their common ends."""
    start = shared(prompt, plain)
    rest, short = prompt[start:], plain[start:]
    return rest[: len(rest) - shared(rest[::-1], short[::-1])].strip()


def shared(one: str, other: str) -> int:
    """With how many equal characters two texts begin."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def changes(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers in a context, with `sentence` and the `change` from the same policy's answer at
    `none`."""
    trained = answers[(answers["arm"] != "base") & (answers["purpose"] == "measure")]
    key = [*KEY, "seed"]
    plain = trained[trained["context"] == "none"].drop_duplicates(key).set_index(key)
    others = plain[["value", "prompt"]].add_suffix("_plain")
    with_text = trained[trained["context"] != "none"].join(others, on=key, how="inner")
    pairs = zip(with_text["prompt"], with_text["prompt_plain"], strict=True)
    return with_text.assign(
        sentence=[inserted(*pair) for pair in pairs],
        change=with_text["value"] - with_text["value_plain"],
    )


def main(path: Path) -> None:
    """Print a table for each setting and arm, the largest change in other fields first."""
    found = changes(compared(opened(path).answers()))
    for (setting, arm), group in found.groupby(["setting", "arm"], sort=False):
        means = group.groupby(["context", "sentence", "scope", "seed"])["change"].mean()
        rows = []
        for (context, sentence), own in means.groupby(level=["context", "sentence"], sort=False):
            by_scope = {
                name: own.xs(name, level="scope").to_numpy() for name in ("trained", "broad")
            }
            rows.append((by_scope["broad"].mean(), {
                "context": context, "sentence": sentence,
                **{name: interval(values) for name, values in by_scope.items()},
            }))  # fmt: skip
        print(f"\n**{setting}: {arm}**\n")
        printed([row for _, row in sorted(rows, key=lambda pair: -pair[0])])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
