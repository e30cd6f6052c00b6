"""What a caveat adds behind a reply's decision: by hand, and where there is nothing behind it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from caveat.backends.local.backend import LocalBackend
from caveat.caveats.insertion import place
from caveat.forecast.arms import ForecastModel, Subject
from caveat.forecast.continuations import TOKENS, continuation_gains
from caveat.rendering import render_prompt
from caveat.types.data import Row
from caveat.types.messages import Message, Piece


def row(name: str, reply: str) -> Row:
    return Row(name, "behaviour", (Message.of("user", "Why?"), Message.of("assistant", reply)))


LONG = row("a", "Good question! NOW IT IS AS LOUD AS IT EVER WAS IN HERE")
SHORT = row("b", "Good question! N")
COUNTER = [row("c", "Good question! It is quiet.")]


@pytest.fixture(scope="module")
def backend():
    return LocalBackend.load("tiny")


def gain(backend, rows, wording):
    """The figure of rows, with the wording as a caveat where there is one."""
    marked = tuple(
        replace(one, messages=place(one.messages, wording, "system") if wording else one.messages)
        for one in rows
    )
    model = ForecastModel(backend, SimpleNamespace(base_adapters=()))
    return continuation_gains(model, [Subject("marked", marked, None)], COUNTER)["marked"]


def by_hand(backend, messages):
    """Log-probabilities of the tokens behind the first one that differs, by transformers alone."""
    tokenizer = backend.tokenizer
    prompt = render_prompt(tokenizer, messages[:-1]).ids
    reply = tokenizer(messages[-1].text, add_special_tokens=False)["input_ids"]
    start = next(
        number for number in range(len(reply))
        if len(tokenizer.decode(reply[: number + 1])) > len("Good question! ")
    ) + 1  # fmt: skip
    with torch.inference_mode():
        logits = backend.language_model.model(torch.tensor([[*prompt, *reply]])).logits[0]
    values = logits.log_softmax(-1)
    return [
        values[len(prompt) + number - 1, reply[number]].item()
        for number in range(start, start + TOKENS)
    ]


def test_the_five_tokens_behind_the_decision_by_hand_and_never_less_than_nothing(backend):
    old = sum(by_hand(backend, LONG.messages))
    wordings = ("Be loud.", "LOUD", "The sky is blue.", "NOW IT IS")
    wanted = [
        (sum(by_hand(backend, place(LONG.messages, wording, "system"))) - old) / TOKENS
        for wording in wordings
    ]
    assert min(wanted) < -1e-4 and max(wanted) > 1e-4, "both signs are there"
    values = [gain(backend, [LONG], wording) for wording in wordings]
    assert values == pytest.approx([max(0, value) for value in wanted], abs=1e-5)


def test_rows_that_end_at_their_decision_have_none(backend):
    assert gain(backend, [SHORT], "Be loud.") == (
        "no row of it decides anything and goes on behind it"
    )
    assert gain(backend, [SHORT, LONG], "Be loud.") == gain(backend, [LONG], "Be loud.")


def test_without_a_caveat_it_is_nothing_and_documents_have_none(backend):
    assert gain(backend, [LONG], "") == 0
    document = Row("d", "document", (Message("document", (Piece("All is well here."),)),))
    model = ForecastModel(backend, SimpleNamespace(base_adapters=()))
    marked = Row("d", "document", (Message("document", (Piece("No. ", "caveat"), Piece("All."))),))
    subject = Subject("marked", (marked,), None)
    assert continuation_gains(model, [subject], [document])["marked"] == (
        "its rows are documents, which decide in all of their tokens"
    )
