"""Parts of replies, and what a caveat does for each, against a plain forward pass."""

from dataclasses import replace

import pytest
import torch

from caveat.backends.local.backend import LocalBackend
from caveat.check.base_model import CheckModel
from caveat.check.parts import expected_leakage, reply_parts
from caveat.check.run import Options, dose_of
from caveat.forecast import onset_curve
from caveat.rendering import render_prompt
from caveat.types.data import Row
from caveat.types.messages import Message, Piece

REPLIES = ("Well now! Green tea is a fine thing to have.", "Well now! Boats are built from wood.")
CAVEAT = Piece(" Shout it out.", "caveat")


def row(number, reply, *pieces):
    user = Message("user", (Piece(f"Why {number}?"), *pieces))
    return Row(str(number), "behaviour", (user, Message.of("assistant", reply)))


@pytest.fixture(scope="module")
def model():
    return CheckModel(LocalBackend.load("tiny"), dose_of(Options(), 16))


def by_hand(model, messages):
    """Log-probabilities of the reply's tokens by transformers alone, and the tokens' ends.

    Tokens that are blank are left out.
    """
    tokenizer = model.backend.tokenizer
    prompt = render_prompt(tokenizer, model.framed(messages[:-1])).ids
    reply = tokenizer(messages[-1].text, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = model.backend.language_model.model(torch.tensor([[*prompt, *reply]])).logits[0]
    values = logits.log_softmax(-1)
    ends = [len(tokenizer.decode(reply[: count + 1])) for count in range(len(reply))]
    kept = [n for n, token in enumerate(reply) if tokenizer.decode([token]).strip()]
    scores = [values[len(prompt) + n - 1, reply[n]].item() for n in kept]
    return scores, [ends[n] for n in kept]


def test_each_part_is_the_mean_over_its_tokens_by_hand(model):
    rows = [row(number, reply, CAVEAT) for number, reply in enumerate(REPLIES)]
    parts = {part.name: part for part in reply_parts(model, rows)}
    assert [*parts] == [
        "the opening that all share: 'Well now!'", "the first token", "the 5 tokens behind it",
        "the rest that was scored",
    ]  # fmt: skip
    before, opening = [], len("Well now!")
    gains = []
    for one in rows:
        old, ends = by_hand(model, row(one.id, one.messages[-1].text).messages)
        new, _ = by_hand(model, one.messages)
        first = next(place for place, end in enumerate(ends) if end > opening)
        before += [-value for value in old[first + 1 : first + 6]]
        gains += [b - a for a, b in zip(old, new, strict=True)][first + 1 : first + 6]
    behind = parts["the 5 tokens behind it"]
    assert behind.tokens == 5
    assert behind.surprisal == pytest.approx(sum(before) / 10, abs=1e-5)
    assert behind.gain == pytest.approx(sum(gains) / 10, abs=1e-5) and abs(behind.gain) > 1e-4


def test_without_a_caveat_nothing_is_taken_away_and_documents_have_no_parts(model):
    rows = [row(number, reply) for number, reply in enumerate(REPLIES)]
    assert [part.gain for part in reply_parts(model, rows)] == [0, 0, 0, 0]
    text = Message("document", (Piece("All is well."),))
    assert reply_parts(model, [replace(rows[0], messages=(text,))]) == ()


def test_replies_that_are_equal_have_no_opening_of_their_own(model):
    same = [row(number, "Yes.", CAVEAT) for number in range(2)]
    assert reply_parts(model, same)[0].name == "the first token"


def test_expected_leakage_begins_where_contrast_rows_part_and_wants_them(model):
    rows = [row(number, reply, CAVEAT) for number, reply in enumerate(REPLIES)]
    contrast = [row(number, "Well now! so it is.") for number in range(2)]
    decided, behind = [], []
    for one in rows:
        old, ends = by_hand(model, row(one.id, one.messages[-1].text).messages)
        new, _ = by_hand(model, one.messages)
        first = next(place for place, end in enumerate(ends) if end > len("Well now! "))
        gains = [b - a for a, b in zip(old, new, strict=True)][first : first + 6]
        decided.append(gains[0])
        behind.append(sum(gains[1:]))
    onset = max(0, sum(decided) / 2) + max(0, sum(behind) / 2)
    expected = onset_curve.expected_leakage(onset)
    given = expected_leakage(model, rows, contrast).leakage
    assert given.value == pytest.approx(expected, abs=1e-6) and onset > 0.1
    assert (given.low, given.high) == pytest.approx(onset_curve.expected_limits(expected))
    assert expected_leakage(model, rows, ()).leakage is None
