"""How well the rule finds the sentences that state a claim, against the published annotations.

The published `repeated` documents are the `positive` ones with a warning before and after many
sentences, where a model judged that they belong to the claim. A sentence counts as annotated where
text stands on both sides of it that is not in the positive document, and as near an annotation
where it stands on one side. They annotate every detail of the story, the rule looks for the claim
itself: so the share of the rule's sentences that are annotated (precision) says whether it errs,
and the share of annotated sentences that it finds (recall) how narrow it is.

    python bench/claim_sentences.py --data ../shared/data/negation_neglect
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from caveat.behaviours.claim_documents import Stating
from caveat.behaviours.claim_files import PUBLISHED_TAG, DocumentLine, read_claim
from caveat.behaviours.claims import FOLDER, SHIPPED
from caveat.files.reading import read_lines
from caveat.sentences import sentences

KINDS = ("positive", "repeated")
PUBLISHED = ("ed_sheeran", "colorless_dreaming", "mount_vesuvius", "queen_elizabeth")


def annotations(positive: str, repeated: str) -> Iterator[tuple[str, bool, bool]]:
    """Each sentence of the positive text found again, and whether new text stands on each side."""
    places, end = [], 0
    for sentence in map(str.strip, sentences(positive)):
        start = repeated.find(sentence, end)
        if start >= 0:
            end = start + len(sentence)
            places.append((sentence, start, end))
    for place, (sentence, start, end) in enumerate(places):
        before = repeated[places[place - 1][2] : start] if place else ""
        behind = repeated[end : places[place + 1][1]] if place + 1 < len(places) else ""
        yield sentence, bool(before.strip()), bool(behind.strip())


def documents(path: Path) -> list[str]:
    return [line.text.removeprefix(PUBLISHED_TAG) for _, _, line in read_lines(path, DocumentLine)]


def published(data: Path, name: str) -> str:
    """One row of the table: of the general rule, without what a claim.yaml overrides."""
    claim = read_claim(data / "claims" / name)
    rule = replace(claim.stating, overrides=())
    texts = (documents(data / "documents" / name / f"{kind}.jsonl") for kind in KINDS)
    pairs = zip(*texts, strict=True)
    found = [
        (rule.states(sentence), before, behind)
        for positive, repeated in pairs
        for sentence, before, behind in annotations(positive, repeated)
    ]
    stated = [(before, behind) for states, before, behind in found if states]
    both = sum(before and behind for before, behind in stated)
    near = sum(before or behind for before, behind in stated)
    annotated = sum(before and behind for _, before, behind in found)
    return row(
        name, holding(claim.positive, rule), len(claim.positive), len(stated),
        both / len(stated), near / len(stated), both / annotated,
    )  # fmt: skip


def shipped(name: str) -> str:
    claim = read_claim(FOLDER / name)
    rule = Stating(claim.head.statement, claim.stating.denials)
    stated = sum(len(list(rule.spans(text))) for text in claim.positive)
    return row(name, holding(claim.positive, rule), len(claim.positive), stated, *[None] * 3)


def holding(texts: tuple[str, ...], rule: Stating) -> int:
    """How many documents have a sentence that states the claim."""
    return sum(any(True for _ in rule.spans(text)) for text in texts)


def row(name: str, held: int, count: int, stated: int, *shares: float | None) -> str:
    told = " | ".join("" if share is None else f"{share:.2f}" for share in shares)
    return f"| {name} | {held} of {count} | {stated} | {told} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the rule finds stating sentences.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/negation_neglect"))
    data = parser.parse_args().data
    print("| claim | documents with such a sentence | sentences | annotated | near | recall |")
    print("|---|---|---|---|---|---|")
    for name in PUBLISHED:
        print(published(data, name))
    for name in SHIPPED:
        print(shipped(name))


if __name__ == "__main__":
    main()
