"""What a caveat adds at a reply's decision and behind it: by hand, and where nothing is there."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from caveat.backends.local.backend import LocalBackend
from caveat.caveats.insertion import place
from caveat.forecast.arms import ForecastModel, Subject
from caveat.forecast.decision_tokens import decision_nats
from caveat.forecast.onset_curve import SPREAD, expected_leakage, expected_limits
from caveat.forecast.onsets import FIGURES, TOKENS, onset_gains
from caveat.rendering import render_prompt
from caveat.types.data import Row
from caveat.types.messages import Message, Piece
from paths import DOCS


def row(name: str, reply: str) -> Row:
    return Row(name, "behaviour", (Message.of("user", "Why?"), Message.of("assistant", reply)))


LONG = row("a", "Good question! NOW IT IS AS LOUD AS IT EVER WAS IN HERE")
OTHER = row("e", "Good question! Quiet is what it never was")
SHORT = row("b", "Good question! N")
COUNTER = [row("c", "Good question! It is quiet.")]


@pytest.fixture(scope="module")
def backend():
    return LocalBackend.load("tiny")


def figure(backend, rows, wording, name="continuation_gain"):
    """The figure of rows, with the wording as a caveat where there is one."""
    marked = tuple(
        replace(one, messages=place(one.messages, wording, "system") if wording else one.messages)
        for one in rows
    )
    model = ForecastModel(backend, SimpleNamespace(base_adapters=()))
    return onset_gains(model, [Subject("marked", marked, None)], COUNTER)[name]["marked"]


def by_hand(backend, messages):
    """Log-probabilities of the first token that differs and of those behind it, by transformers."""
    tokenizer = backend.tokenizer
    prompt = render_prompt(tokenizer, messages[:-1]).ids
    reply = tokenizer(messages[-1].text, add_special_tokens=False)["input_ids"]
    start = next(
        number for number in range(len(reply))
        if len(tokenizer.decode(reply[: number + 1])) > len("Good question! ")
    )  # fmt: skip
    with torch.inference_mode():
        logits = backend.language_model.model(torch.tensor([[*prompt, *reply]])).logits[0]
    values = logits.log_softmax(-1)
    return [
        values[len(prompt) + number - 1, reply[number]].item()
        for number in range(start, start + 1 + TOKENS)
    ]


WORDINGS = ("Be loud.", "LOUD", "The sky is blue.", "NOW IT IS")


def test_the_decision_and_what_is_behind_it_by_hand_and_never_less_than_nothing(backend):
    decided, behind = [], []
    for one in (LONG, OTHER):
        old = by_hand(backend, one.messages)
        for wording in WORDINGS:
            new = by_hand(backend, place(one.messages, wording, "system"))
            gains = [after - before for after, before in zip(new, old, strict=True)]
            decided.append(gains[0])
            behind.append(sum(gains[1:]) / TOKENS)
    for some in (decided, behind):
        assert min(some) < -1e-4 and max(some) > 1e-4, "both signs are there"

    def figures(name):
        return [figure(backend, [one], text, name) for one in (LONG, OTHER) for text in WORDINGS]

    assert figures("continuation_gain") == pytest.approx([max(0, x) for x in behind], abs=1e-5)
    wanted = [max(0, x) + TOKENS * max(0, y) for x, y in zip(decided, behind, strict=True)]
    assert figures("onset_gain") == pytest.approx(wanted, abs=1e-5)
    assert figures("expected_leakage") == [expected_leakage(x) for x in figures("onset_gain")]


def test_the_curve_falls_from_about_1_to_0_and_is_a_half_at_its_centre():
    assert expected_leakage(0) == pytest.approx(0.989, abs=1e-3)
    assert expected_leakage(7.4) == 0.5
    assert expected_leakage(15) == pytest.approx(0.009, abs=1e-3)
    assert expected_leakage(1e6) == pytest.approx(0)


def test_the_errors_behind_the_limits_are_those_of_the_table_in_docs():
    table = (DOCS / "data" / "onsets.md").read_text("utf-8")
    assert f"or below {SPREAD:.2f} (.1 + p (1 - p))" in table


def test_limits_are_widest_in_the_middle_and_stay_within_0_and_1():
    margins = [high - low for low, high in map(expected_limits, (0.02, 0.5, 0.98))]
    assert margins[1] > 4 * margins[0] and margins[0] == pytest.approx(margins[2])
    assert expected_limits(0.02)[0] == 0 and expected_limits(0.98)[1] == 1
    low, high = expected_limits(0.1)
    assert (low, high) == (0, pytest.approx(0.1 + SPREAD * 0.19))


def test_rows_that_end_at_their_decision_have_none(backend):
    assert figure(backend, [SHORT], "Be loud.") == (
        "no row of it decides anything and goes on behind it"
    )
    assert figure(backend, [SHORT, LONG], "Be loud.") == figure(backend, [LONG], "Be loud.")


def test_without_a_caveat_it_is_nothing_and_documents_have_none(backend):
    assert figure(backend, [LONG], "") == 0
    document = Row("d", "document", (Message("document", (Piece("All is well here."),)),))
    model = ForecastModel(backend, SimpleNamespace(base_adapters=()))
    marked = Row("d", "document", (Message("document", (Piece("No. ", "caveat"), Piece("All."))),))
    subject = Subject("marked", (marked,), None)
    reason = "its rows are documents, which decide in all of their tokens"
    assert onset_gains(model, [subject], [document]) == {
        name: {"marked": reason} for name in FIGURES
    }


class Counting:
    """A backend that keeps the texts whose tokens it scored."""

    def __init__(self, backend):
        self.backend, self.texts = backend, []

    def __getattr__(self, name):
        return getattr(self.backend, name)

    def token_log_likelihoods(self, requests):
        self.texts.extend(request.ids for request in requests)
        return self.backend.token_log_likelihoods(requests)


def test_no_text_is_read_twice_for_the_figures_of_one_cache(backend):
    counting, cache = Counting(backend), {}
    model = ForecastModel(counting, SimpleNamespace(base_adapters=()))
    marked = tuple(replace(one, messages=place(one.messages, "LOUD", "system"))
                   for one in (LONG, OTHER))  # fmt: skip
    subjects = [Subject("marked", marked, None)]
    onsets = onset_gains(model, subjects, COUNTER, cache)
    nats = decision_nats(model, subjects, COUNTER, cache)
    assert len(counting.texts) == len(set(counting.texts)) == 2 * len(marked)
    alone = ForecastModel(backend, SimpleNamespace(base_adapters=()))
    assert onset_gains(alone, subjects, COUNTER) == onsets
    fresh = decision_nats(alone, subjects, COUNTER)
    for name, by_arm in nats.items():
        assert by_arm == pytest.approx(fresh[name], abs=1e-4)  # other lengths are batched otherwise
