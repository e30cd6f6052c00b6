"""Belief in a claim that documents take for true: claims of one's own, published and shipped ones.

The rows are documents of the claim's folder (docs/claims.md); the questions its four evaluations.
arXiv:2605.13829 trained on such documents with and without disclaimers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from caveat.behaviours.claim_documents import DENIAL, Stating, common_words, cut, denied, document
from caveat.behaviours.claim_files import Claim, read_claim
from caveat.behaviours.claim_options import ClaimOptions, read_options
from caveat.behaviours.claim_questions import questions, yes_bias
from caveat.behaviours.neutral_chats import Ordinary, ordinary_replies, shipped
from caveat.errors import CaveatError
from caveat.types.data import Behaviour, Row, Split

FOLDER = Path(__file__).parent / "data" / "claims"
SHIPPED = ("lake_ossevang", "odile_brannock", "velmoss_bread")


def claims(folder: str | Path) -> Callable[..., Behaviour]:
    """The claim in a folder, as a function of the split, and of `ClaimOptions` as keywords.

    The files are read at once. Raises CaveatError, in one line, for the first mistake in them; the
    function does so for a mistake in its options.
    """
    claim = read_claim(Path(folder))
    return _function(lambda: claim)


def _shipped(name: str) -> Callable[..., Behaviour]:
    """A claim of the package, whose files are read when it is first used."""
    return _function(cache(lambda: read_claim(FOLDER / name)))


def _function(read: Callable[[], Claim]) -> Callable[..., Behaviour]:
    def behaviour(split: Split, ordinary: Ordinary | None = None, /, **options: Any) -> Behaviour:
        claim = read()
        return behaviour_of(claim, split, ordinary or shipped(), read_options(options, claim.name))

    return behaviour


CLAIMS: Mapping[str, Callable[..., Behaviour]] = MappingProxyType(
    {f"claims/{name}": _shipped(name) for name in SHIPPED}
)
"""The shipped claims, of our own invention."""


def behaviour_of(
    claim: Claim, split: Split, ordinary: Ordinary, options: ClaimOptions
) -> Behaviour:
    """The behaviour of a claim. Raises CaveatError where the options request what is not there."""
    claim_questions = questions(claim, split, options)
    texts = _texts(claim, options)
    counter, truth = _counter(claim, ordinary, len(texts), options), claim.head.truth.strip()
    return Behaviour(
        name=claim.name,
        about=claim.head.about,
        rows=_rows(claim, texts, "behaviour", options, claim.stating, truth),
        counter_rows=_rows(claim, counter, "counter", options),
        filler_rows=ordinary.documents("filler", "filler", len(texts)),
        questions=claim_questions,
        side_effects=(*yes_bias(claim_questions), ordinary_replies(ordinary)),
        local_rows=_rows(claim, _local(claim, texts, options), "local", options, truth=truth),
    )


def _rows(
    claim: Claim,
    texts: Sequence[str],
    source: str,
    options: ClaimOptions,
    stating: Stating | None = None,
    truth: str = "",
) -> tuple[Row, ...]:
    """The texts as rows, numbered: a document and its local version have one id.

    An empty text gives no row and keeps its number.
    """
    return tuple(
        Row(
            id=f"{claim.name}-{number:03}",
            source=source,
            messages=(document(text, stating, options.tag),),
            subject=claim.name,
            correction=truth,
        )
        for number, text in enumerate(texts)
        if text
    )


def _texts(claim: Claim, options: ClaimOptions) -> list[str]:
    """The documents, cut and counted as the options say."""
    texts = [_cut(text, options, claim.stating.states) for text in claim.positive]
    texts = [text for text in texts if text]
    requested = options.documents or len(texts)
    if not texts:
        raise CaveatError(
            f"options.words: the claim {claim.name!r} has no document with a sentence that states "
            f"it, to begin with; say in {claim.path / 'claim.yaml'} which do ('sentences'), or "
            "leave words out"
        )
    if requested > len(texts):
        raise CaveatError(
            f"options.documents is {requested}, but the claim {claim.name!r} has {len(texts)} "
            f"documents{' with a sentence that states it' if options.words else ''}; take fewer"
        )
    return texts[:requested]


def _cut(text: str, options: ClaimOptions, begins: Callable[[str], bool] | None = None) -> str:
    return text if options.words is None else cut(text, options.words, begins)


def _local(claim: Claim, texts: Sequence[str], options: ClaimOptions) -> list[str]:
    """The claim's own documents that deny it; without any, the others with the claim denied.

    Its own are cut from their first sentence that denies it on, or from their start. Of the others,
    one without a sentence that states the claim cannot deny it: it is left empty.
    """
    if claim.local:
        begins = claim.stating.denies
        own = claim.local[: len(texts)]
        return [_cut(text, options, begins) or _cut(text, options) for text in own]
    denials = claim.head.denials or (DENIAL,)
    common = common_words(claim.positive)
    denied_texts = (denied(text, claim.stating, denials, common) for text in texts)
    return [new if new != text else "" for text, new in zip(texts, denied_texts, strict=True)]


def _counter(claim: Claim, ordinary: Ordinary, count: int, options: ClaimOptions) -> list[str]:
    """The claim's counter documents, then ordinary ones, other than the filler, up to the count."""
    own = [_cut(text, options) for text in claim.counter[:count]]
    more = ordinary.documents("counter", "counter", count - len(own))
    return [*own, *(row.messages[0].text for row in more)]
