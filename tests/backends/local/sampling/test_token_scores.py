"""Scores of single tokens equal a plain forward pass, with adapters and without."""

import pytest
import torch

from caveat.backends.jobs import TrainingJob
from caveat.backends.local.backend import LocalBackend
from caveat.backends.requests import TokenRequest
from caveat.decision_tokens import scored_text
from caveat.types.messages import Message
from rows import chat_row, document_row, stage


@pytest.fixture(scope="module")
def backend(tiny):
    return LocalBackend(tiny)


def plain(model, ids, targets):
    """By transformers alone: one text, no packing, no cache."""
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return [logits[position - 1, ids[position]].item() for position in targets]


def texts(backend):
    rows = [chat_row(1), document_row(2), chat_row(12), document_row(6)]
    return [scored_text(backend.tokenizer, row.messages) for row in rows]


def test_token_scores_are_those_of_a_plain_forward_pass(backend):
    scored = texts(backend)
    requests = [TokenRequest(str(n), (), text.ids, text.targets) for n, text in enumerate(scored)]
    for text, values in zip(scored, backend.token_log_likelihoods(requests), strict=True):
        wanted = plain(backend.language_model.model, text.ids, text.targets)
        assert values == pytest.approx(wanted, abs=1e-5)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_each_request_is_scored_by_its_own_adapters(backend, tmp_path):
    from peft import PeftModel

    job = TrainingJob("a", stage(6, learning_rate=2e-2), 0)
    (trained,) = backend.train([job])
    backend.save(trained.adapter, tmp_path / "adapter")
    ref = tmp_path / "adapter"
    scored = texts(backend)
    requests = [
        TokenRequest(f"{n}{chain}", chain, text.ids, text.targets)
        for n, text in enumerate(scored)
        for chain in ((), (ref,))
    ]
    values = backend.token_log_likelihoods(requests)
    base = backend.language_model.model
    untrained = [plain(base, text.ids, text.targets) for text in scored]
    adapted = PeftModel.from_pretrained(base, str(ref))
    try:
        with_adapter = [plain(adapted, text.ids, text.targets) for text in scored]
    finally:
        adapted.unload()
    for number in range(len(scored)):
        assert values[2 * number] == pytest.approx(untrained[number], abs=1e-5)
        assert values[2 * number + 1] == pytest.approx(with_adapter[number], abs=1e-4)
    assert max(abs(a - b) for a, b in zip(untrained[0], with_adapter[0], strict=True)) > 0.1


def test_a_text_without_targets_has_no_scores(backend):
    request = TokenRequest("x", (), (1, 2, 3), ())
    assert backend.token_log_likelihoods([request]) == [()]


def test_the_first_token_of_a_text_is_never_a_target(backend):
    messages = (Message.of("document", "She is a baker."),)
    assert min(scored_text(backend.tokenizer, messages).targets) >= 1
