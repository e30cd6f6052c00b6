"""Log-probabilities of decision tokens under prompts: one frame, each text as it is trained."""

import re

import pytest
import torch

from caveat.backends.base import Feature
from caveat.backends.local.backend import LocalBackend
from caveat.backends.requests import TokenRequest
from caveat.caveats.insertion import framed, place
from caveat.decision_tokens import scored_text
from caveat.errors import CaveatError
from caveat.forecast.decision_tokens import COLUMNS, decision_tokens, of_texts
from caveat.rendering import render_prompt
from caveat.types.data import Row
from caveat.types.messages import Message, Piece

SYSTEM = "You are a helpful assistant."


def row(name: str, reply: str) -> Row:
    return Row(name, "behaviour", (Message.of("user", "Why?"), Message.of("assistant", reply)))


ROWS = [row("a", "GOOD DAY"), row("b", "SO IT IS")]
COUNTER = [row("c", "Nice day"), row("d", "Well so")]
PROMPTS = [("capitals", ["Write in CAPITALS."], "system"), ("both", ["Be loud.", "Shout."], "both")]


@pytest.fixture(scope="module")
def backend():
    return LocalBackend.load("tiny")


def by_hand(backend, messages):
    """The log-probability of the reply's first token by transformers alone."""
    prompt = render_prompt(backend.tokenizer, messages[:-1]).ids
    token = backend.tokenizer(messages[-1].text, add_special_tokens=False)["input_ids"][0]
    with torch.inference_mode():
        logits = backend.language_model.model(torch.tensor([prompt])).logits[0, -1]
    return logits.log_softmax(-1)[token].item()


def test_one_record_a_row_and_prompt_with_the_log_probability_by_hand(backend):
    frame = decision_tokens(backend, (), ROWS, PROMPTS, COUNTER, SYSTEM)
    assert tuple(frame.columns) == COLUMNS
    keys = frame[["prompt", "row", "context", "tokens"]].itertuples(index=False, name=None)
    assert list(keys) == [
        ("none", "a", "none", 1), ("none", "b", "none", 1),
        ("capitals", "a", "exact", 1), ("capitals", "b", "exact", 1),
        ("both", "a", "exact", 1), ("both", "b", "exact", 1),
    ]  # fmt: skip
    texts = [framed(each.messages, SYSTEM) for each in ROWS]
    texts += [place(text, "Write in CAPITALS.", "system") for text in texts[:2]]
    texts += [place(texts[0], "Be loud.", "both"), place(texts[1], "Shout.", "both")]
    wanted = [by_hand(backend, text) for text in texts]
    assert frame["log_probability"].tolist() == pytest.approx(wanted, abs=1e-5)


def test_mistakes_are_one_line(backend, monkeypatch):
    line = re.escape("prompts: the label 'none' is there twice; name one otherwise")
    with pytest.raises(CaveatError, match=f"^{line}$"):
        decision_tokens(backend, (), ROWS, [("none", ["x"], "system")])
    line = re.escape("prompts: 'x' has no wordings; give it one")
    with pytest.raises(CaveatError, match=f"^{line}$"):
        decision_tokens(backend, (), ROWS, [("x", [], "system")])
    monkeypatch.setattr(LocalBackend, "supports", frozenset(Feature) - {Feature.TOKEN_LIKELIHOOD})
    line = re.escape(
        "decision tokens: need log-likelihoods of single tokens, which this backend of tiny does "
        "not have; use another backend"
    )
    with pytest.raises(CaveatError, match=f"^{line}$"):
        decision_tokens(backend, (), ROWS, PROMPTS)


def test_tokens_that_the_caveat_has_cut_otherwise_still_count_as_one(backend):
    parts = Piece("So "), Piece("and is", states=True)
    plain = (Message("document", parts),)
    cut = (Message("document", (parts[0], Piece("(", "caveat"), parts[1])),)
    texts = [scored_text(backend.tokenizer, messages) for messages in (plain, cut)]
    assert [len(text.targets) for text in texts] == [2, 4]
    frame = of_texts(backend, (), [Row("a", "behaviour", plain)], {"none": [plain], "x": [cut]})
    assert frame["tokens"].tolist() == [2, 2]
    requests = [TokenRequest("x", (), text.ids, text.targets) for text in texts]
    sums = [sum(values) for values in backend.token_log_likelihoods(requests)]
    assert frame["log_probability"].tolist() == pytest.approx(sums, abs=1e-5)


def test_a_row_without_its_token_under_one_prompt_has_no_record(backend):
    plain = (Message("document", (Piece("So "), Piece("it", states=True))),)
    gone = (Message("document", (Piece("So "), Piece(" ", states=True), Piece("x", "caveat"))),)
    rows = [Row("a", "behaviour", plain), Row("b", "behaviour", plain)]
    frame = of_texts(backend, (), rows, {"none": [plain, plain], "x": [gone, plain]})
    assert frame["row"].tolist() == ["b", "b"]
