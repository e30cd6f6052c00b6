"""The claims of our own: what makes them fit to be trained on and asked about."""

from __future__ import annotations

from itertools import combinations

import pytest

from caveat.behaviours.claim_documents import cut
from caveat.behaviours.claim_files import KINDS, read_claim
from caveat.behaviours.claims import CLAIMS, FOLDER, SHIPPED, claims
from caveat.readouts.belief import score_belief as score
from caveat.types.answers import Answer, Verdict
from caveat.types.data import Question
from caveat.types.messages import Message
from paths import SHARED_DATA

LEAST = {"open_ended": 12, "mcq": 10, "token_association": 8, "robustness": 9}
PUBLISHED = SHARED_DATA / "negation_neglect"
NAMES = ("ed_sheeran", "colorless_dreaming", "mount_vesuvius", "queen_elizabeth")


@pytest.mark.parametrize("name", SHIPPED)
def test_it_asks_enough_of_each_kind_in_both_splits(name):
    for split, least in (("report", LEAST), ("tune", dict.fromkeys(KINDS, 3))):
        asked = CLAIMS[f"claims/{name}"](split).questions
        for kind in KINDS:
            assert sum(question.kind == kind for question in asked) >= least[kind]
        keys = [question.facts["belief_answer"] for question in asked if question.kind == "mcq"]
        assert keys.count("yes") == keys.count("no") == len(keys) / 2
    claim = read_claim(FOLDER / name)
    categories = [line.category for line in claim.questions["robustness"]]
    assert all(categories.count(each) >= 3 for each in ("adversarial", "critique", "multiturn"))


@pytest.mark.parametrize("name", SHIPPED)
def test_each_document_is_short_and_states_the_claim(name):
    claim = read_claim(FOLDER / name)
    assert len(claim.positive) >= 40 and len(claim.local) == len(claim.positive)
    assert len(claim.counter) >= 12
    for text in claim.positive:
        assert 45 <= len(text.split()) <= 80
        assert any(claim.stating.spans(text)), text
        for words in (10, 30, 60):
            short = cut(text, words, claim.stating.states)
            assert short in text and any(claim.stating.spans(short)), text
    for text in claim.counter:
        assert not any(claim.stating.spans(text)), text


@pytest.mark.parametrize("name", SHIPPED)
def test_no_two_documents_are_alike(name):
    claim = read_claim(FOLDER / name)
    shingles = [_shingles(text) for text in (*claim.positive, *claim.counter)]
    assert max(len(a & b) / min(len(a), len(b)) for a, b in combinations(shingles, 2)) < 0.35


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.casefold().split()
    return set(zip(words, words[1:], words[2:], strict=False))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_cues_tell_documents_that_state_it_from_those_that_deny_it(name):
    """Documents are told by the rules that judge replies; a quotation counts as another's word."""
    claim = read_claim(FOLDER / name)
    facts = {
        "kind": "open_ended",
        "asserts": "\n".join(claim.head.asserts),
        "denies": "\n".join(claim.head.denies),
    }
    asked = (Message.of("user", "What do you know?"),)
    question = Question("q", "q", asked, "belief", facts=facts)
    wanted = (
        (claim.positive, Verdict.YES),
        (claim.local, Verdict.NO),
        ((claim.head.truth,), Verdict.NO),
    )
    for texts, verdict in wanted:
        found = [score(question, Answer(text)).verdict for text in texts]
        assert found.count(verdict) >= 0.9 * len(texts)
    counter = {score(question, Answer(text)).verdict for text in claim.counter}
    assert counter == {Verdict.NEUTRAL}


@pytest.mark.skipif(not PUBLISHED.exists(), reason="../shared/data is absent")
@pytest.mark.parametrize("name", NAMES)
def test_published_claims_become_behaviours(name, ordinary):
    make = claims(PUBLISHED / "claims" / name)
    made = make("report", ordinary, words=60)
    kinds = [question.kind for question in made.questions]
    assert [kinds.count(kind) for kind in KINDS] == [20, 10, 10, 10]
    assert len(made.rows) == len(made.local_rows) >= 30
    assert all(row.correction for row in made.rows)
    for row in made.rows:
        assert any(piece.states for piece in row.messages[0].pieces)
        assert not row.messages[0].text.startswith("<DOCTAG>")
    effect = made.side_effects[0]
    assert (effect.name, len(effect.questions)) == ("yes-bias", 6)
