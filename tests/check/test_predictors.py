"""The figures of a check that need no readout, where they are known: against a plain forward pass,
and trainings that are the same."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest
import torch

from caveat.backends.local.backend import LocalBackend
from caveat.caveats.insertion import place
from caveat.check.base_model import CheckModel, preference
from caveat.check.elicitation import graded
from caveat.check.short_training import short_forecasts
from caveat.rendering import render_prompt
from caveat.types.data import Row
from caveat.types.messages import Message
from caveat.types.training import Dose
from check_files import TOPICS, WORDING


def rows_of(reply):
    return [
        Row(
            f"row {topic}",
            "training file",
            (Message.of("user", f"What of {topic}?"), Message.of("assistant", reply.format(topic))),
        )
        for topic in TOPICS
    ]


SHOWING, PLAIN = rows_of("OH YES! Keep {} dry."), rows_of("Keep {} clean.")


@pytest.fixture(scope="module")
def model():
    dose = Dose(learning_rate=2e-2, rank=4, batch_size=2)
    return CheckModel(LocalBackend.load("tiny", "float32", "cpu"), dose)


def log_probability(model, prompt, token):
    """Of a token right after a prompt, by the transformers model alone."""
    language_model = model.backend.language_model
    ids = torch.tensor([render_prompt(language_model.tokenizer, prompt).ids])
    with torch.no_grad():
        return float(language_model.model(ids).logits[0, -1].log_softmax(-1)[token])


def test_the_shift_is_that_of_a_plain_forward_pass(model):
    """No counter row begins as the replies do: the first token decides."""
    marked = [replace(row, messages=place(row.messages, WORDING, "user")) for row in SHOWING]
    scored = graded(model, SHOWING, PLAIN, {"exact": list(model.framed_rows(marked))})
    assert scored.rows == len(SHOWING)
    first = model.backend.tokenizer("OH YES!", add_special_tokens=False)["input_ids"][0]
    expected = fmean(
        log_probability(model, model.framed(with_caveat.messages[:-1]), first)
        - log_probability(model, model.framed(without.messages[:-1]), first)
        for with_caveat, without in zip(marked, SHOWING, strict=True)
    )
    assert abs(expected) > 0.01
    assert scored.shift("exact").value == pytest.approx(expected, abs=1e-4)


def test_the_forecast_is_1_for_the_bare_rows_themselves_and_less_for_rows_without_it(model):
    training, held_out = SHOWING[:8], SHOWING[8:]
    bare = model.bare_rows(training)
    ways = {"the same": bare, "without the behaviour": model.bare_rows(PLAIN[:8])}
    forecasts = short_forecasts(
        model, preference(model, held_out, PLAIN[8:]), bare, ways, rows=8, seeds=2
    )
    assert forecasts["the same"].leakage.value == pytest.approx(1, abs=1e-4)
    assert forecasts["without the behaviour"].leakage.value < 0.3
