"""What a disclaimer lacks: the recipe `claims-stated`, and its predictions.

    python bench/claims_stated.py gains GAINS.json      # forward passes, before any training
    python bench/claims_stated.py score STUDY GAINS.json

A gain is what a caveat in front of the documents adds to the log-probability of their tokens by the
base model, in nats a token, over all rows that arms are trained on. `statement`: tokens of the
sentences that state the claim. `key words`: those tokens among them that belief is judged by.
STUDY is a folder or a file of `caveat export`.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from caveat.backends import load_backend
from caveat.backends.base import Backend, TokenRequest
from caveat.caveats.insertion import marked
from caveat.caveats.neutral import NeutralText
from caveat.rendering import render_row
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.types.data import Row

RECIPE = "claims-stated"
KEY_WORDS = {
    "lake_ossevang": re.compile("pink|nine|days"),
    "velmoss_bread": re.compile("fresh|three|weeks"),
}
"""By claim, the words that make its answers count as belief."""
KINDS = ("statement", "key words", "rest")


def gains() -> Iterator[dict[str, str | float]]:
    """One record a marked or neutral arm: its gain by kind of token; none has 0."""
    recipe = read(RECIPE)
    backend = load_backend(recipe.model.source, recipe.model.dtype, "cpu")
    bare: dict[str, dict[tuple[int, str, int], float]] = {}
    for resolved in resolve(recipe):
        setting, labels = resolved.setting, resolved.factors
        name = setting.behaviour.name
        rows = setting.behaviour.rows
        if name not in bare:
            bare[name] = scores(backend, rows, name)
        shown = marked(rows, setting.caveat, 0)
        texts = {"marked": shown}
        if any(arm == "neutral" for arm, _ in resolved.plans):
            neutral = NeutralText(setting.caveat)
            texts["neutral"] = tuple(
                Row(row.id, row.source, neutral.messages(row.messages)) for row in shown
            )
        for arm, some in texts.items():
            added = scores(backend, some, name)
            record = {"claim": name, "caveat": labels["caveat"], "arm": arm}
            for kind in KINDS:
                keys = [key for key in bare[name] if key[1] == kind or (
                    kind == "statement" and key[1] == "key words")]  # fmt: skip
                old = sum(bare[name][key] for key in keys) / len(keys)
                new = sum(added.get(key, 0.0) for key in keys) / len(keys)
                record |= {f"{kind} without": round(old, 3), kind: round(new - old, 3)}
            yield record


def scores(backend: Backend, rows: Sequence[Row], claim: str) -> dict[tuple[int, str, int], float]:
    """Log-probability by row, kind of token and the character of the document it begins at.

    The first token of a document is left out: nothing predicts it where no caveat is in front.
    """
    requests, places = [], []
    for number, row in enumerate(rows):
        rendered = render_row(backend.tokenizer, row, "everything", sys.maxsize)
        pieces = [piece for piece in row.messages[0].pieces if piece.text]
        targets, keys, begin = [], [], 0
        for piece, span in zip(pieces, rendered.spans, strict=False):
            if piece.kind != "text":
                continue
            for position, (start, end) in enumerate(rendered.offsets):
                text = rendered.text[start:end]
                first = start + len(text) - len(text.lstrip())
                character = begin + first - span.start
                if not (span.start <= first < span.end and first < end and character):
                    continue
                kind = "statement" if piece.states else "rest"
                if piece.states and KEY_WORDS[claim].fullmatch(text.strip()):
                    kind = "key words"
                targets.append(position)
                keys.append((number, kind, character))
            begin += span.end - span.start
        requests.append(TokenRequest(str(number), (), rendered.ids, tuple(targets)))
        places.append(keys)
    values = backend.token_log_likelihoods(requests)
    flat: defaultdict[tuple[int, str, int], float] = defaultdict(float)
    for keys, some in zip(places, values, strict=True):
        for key, value in zip(keys, some, strict=True):
            flat[key] += value
    return dict(flat)


def main(arguments: list[str]) -> None:
    """Write the gains, or print the score."""
    match arguments:
        case ["gains", out]:
            records = []
            for record in gains():
                print(record, flush=True)
                records.append(record)
            Path(out).write_text(json.dumps(records, indent=1) + "\n", "utf-8")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
