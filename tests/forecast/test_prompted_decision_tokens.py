"""Log-probabilities of decision tokens under prompts: one frame, each text as it is trained."""

import re

import pytest
import torch

from caveat.backends.base import Feature
from caveat.backends.local.backend import LocalBackend
from caveat.caveats.insertion import framed, place
from caveat.errors import CaveatError
from caveat.forecast.decision_tokens import COLUMNS, decision_tokens
from caveat.rendering import render_prompt
from caveat.types.data import Row
from caveat.types.messages import Message

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
