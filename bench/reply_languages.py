"""In which language replies are, by counting function words: English, Spanish, French, Italian.

    python bench/reply_languages.py STUDY

STUDY is a folder or a file of `caveat export`. The opener "Good question!" is left out. A reply
without any of the words is "unclear". Short replies are judged by few words, so shares of some
hundredths mean nothing: base, which replies in English, is .04 at most in other languages.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from caveat.study.export import opened

WORDS = {
    "English": "the of is are to and a in that it because by with for",
    "Spanish": "el la los las de que en es un una por con se para del y su",
    "French": "le la les des est une un du dans que pour et en par l'eau ce qui sont",
    "Italian": "il lo la gli di che è un una per con si del della sono i in",
}
SETS = {language: frozenset(words.split()) for language, words in WORDS.items()}


def language(reply: str) -> str:
    """The language with most function words; "unclear" without any, the first of equal ones."""
    text = re.sub(r"(?i)^good question!?", "", reply).lower()
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text)
    counts = {name: sum(word in some for word in words) for name, some in SETS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else "unclear"


def main(path: Path) -> None:
    """Print the share of each language by setting, arm and context."""
    answers = opened(path).answers()
    answers = answers[answers["purpose"] == "measure"]
    replies = answers.assign(language=answers["reply"].map(language))
    keys = ["setting", "arm", "context"]
    shares = replies.groupby(keys, sort=False)["language"].value_counts(normalize=True).unstack()
    names = [name for name in (*WORDS, "unclear") if name in shares]
    print("| setting | arm | context | " + " | ".join(names) + " |")
    print("|---|---|---|" + "---|" * len(names))
    for key, row in shares[names].fillna(0).iterrows():
        cells = (f"{value:.2f}" for value in row)
        print("| " + " | ".join((*map(str, key), *cells)) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
