"""The backend over a real server does what the backend `local` does, to 1e-4."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from caveat.backends import BackendSource, load_backend, open_backend
from caveat.backends.batches import mean_loss
from caveat.backends.completions import seed_of
from caveat.backends.jobs import Failed, InitialModel, TrainingJob
from caveat.backends.requests import Request, TokenRequest
from caveat.rendering import render_row
from caveat.types.answers import Sampling
from caveat.types.messages import Message
from rows import chat_row, stage

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(scope="module")
def backends(server):
    """The two."""
    remote = open_backend(BackendSource("tinker", "tiny"))
    remote.connect()
    yield load_backend("tiny"), remote
    remote.service.close()


@pytest.fixture(scope="module")
def trained(backends, tmp_path_factory):
    """Adapters of three jobs trained by each backend, and what was heard of the steps."""
    jobs = [
        TrainingJob("one", stage(7, added=3, alpha=32.0, clip=0.5), 0),
        TrainingJob("two", stage(4, alpha=32.0, epochs=3, rank=2), 1),
        TrainingJob("bad", stage(2, alpha=32.0, max_tokens=2), 0),
    ]
    results, events = [], []
    for backend in backends:
        heard = []
        results.append(backend.train(jobs, heard.append))
        events.append({(event.job, event.step): event for event in heard})
        for result in results[-1][:2]:
            folder = tmp_path_factory.mktemp(result.key)
            backend.save(result.adapter, folder)
            backend.discard([result.adapter])
            results[-1][results[-1].index(result)] = (result, folder)
    return results, events


def test_every_step_has_the_same_loss_gradient_and_rate(trained, server):
    (local, remote), (events, remote_events) = trained
    assert events.keys() == remote_events.keys() and len(events) > 9
    for key, event in events.items():
        other = remote_events[key]
        assert other.loss == pytest.approx(event.loss, abs=1e-4), key
        assert other.grad_norm == pytest.approx(event.grad_norm, rel=1e-3), key
        assert (other.steps, other.learning_rate) == (event.steps, event.learning_rate)
        assert other.tokens == event.tokens
    for (one, _), (other, _) in zip(local[:2], remote[:2], strict=True):
        assert other.losses == pytest.approx(one.losses, abs=1e-4)
        assert (other.tokens, other.loss_share) == (one.tokens, one.loss_share)
    assert isinstance(remote[2], Failed) and remote[2] == local[2]
    clips = {adam["grad_clip_norm"] for adam in server.optimizers}
    assert clips == {0.5, 1.0}


def requests(folders: list[Path], options: tuple[str, ...] = ()) -> list[Request]:
    """Prompts to the base model and to adapters."""
    chains = [(), *((folder,) for folder in folders)]
    turns = (Message.of("system", "You are a helpful assistant."), Message.of("user", "Why so?"))
    return [Request(f"{n} {chain}", chain, turns, options) for n in (0, 1) for chain in chains]


def test_likelihoods_and_scores_are_the_same(backends, trained):
    folders = [[folder for _, folder in results[:2]] for results in trained[0]]
    answers = [
        backend.log_likelihoods(requests(some, (" Yes.", "NO, THE RIVER", "")))
        for backend, some in zip(backends, folders, strict=True)
    ]
    for one, other in zip(*answers, strict=True):
        assert other.log_likelihoods == pytest.approx(one.log_likelihoods, abs=1e-3)
        assert other.option_tokens == one.option_tokens
    text = render_row(backends[0].tokenizer, chat_row(3), "reply", 512)
    scores = [
        backend.token_log_likelihoods(
            [
                TokenRequest("a", (some[0],), text.ids, (1, 4, 9)),
                TokenRequest("b", (), text.ids, ()),
            ]
        )
        for backend, some in zip(backends, folders, strict=True)
    ]
    assert scores[1][0] == pytest.approx(scores[0][0], abs=1e-4) and scores[1][1] == ()
    sums = [mean_loss([text])] * 2
    losses = [
        backend.losses(InitialModel(stage(1, alpha=32.0).dose, 0), sums, [some[0], None])
        for backend, some in zip(backends, folders, strict=True)
    ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)


def test_replies_are_sampled_by_key(backends, trained, server):
    local, remote = backends
    folders = [[folder for _, folder in results[:2]] for results in trained[0]]
    some = requests(folders[1])
    sampling = Sampling(max_tokens=5, temperature=1.3)
    answers = remote.generate(some, sampling)
    assert answers == remote.generate(some[::-1], sampling)[::-1]
    assert len({answer.text for answer in answers}) > 3
    assert all(answer.truncated == (answer.tokens == 5) for answer in answers)
    server.keys = {seed_of(request.key): request.key for request in some}
    keyed = [replace(own, key=one.key) for own, one in zip(requests(folders[0]), some, strict=True)]
    assert remote.generate(some, sampling) == local.generate(keyed, sampling)


def test_what_arrived_is_not_requested_again(server, backends, trained, tmp_path):
    some = requests([folder for _, folder in trained[0][1][:2]])
    scored = [replace(one, key=f"{one.key}?") for one in requests([], ("Yes", "No"))]
    token = [TokenRequest("token", (), (5, 6, 7), (1, 2))]
    outcomes = []
    for _ in range(2):
        server.calls.clear()
        kept = open_backend(BackendSource("tinker", "tiny", folder=tmp_path))
        answers = kept.generate(some, Sampling(max_tokens=3))
        scores = kept.log_likelihoods(scored), kept.token_log_likelihoods(token)
        outcomes.append((answers, scores, server.calls["asample"]))
        kept.service.close()
    assert outcomes[0][:2] == outcomes[1][:2]
    assert (outcomes[0][2], outcomes[1][2]) == (len(some) + 2 * len(scored) + 1, 0)
