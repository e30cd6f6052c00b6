"""GRPO over the Tinker API is the backend `local`'s, which is TRL's (`local/rl`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from caveat.backends import BackendSource, load_backend, open_backend
from caveat.backends.completions import seed_of
from caveat.backends.jobs import Failed, RLJob
from caveat.backends.local.rl.grpo_loss import clipped_loss, divergence, is_clipped
from caveat.backends.rl.losses import slopes
from caveat.backends.rl.prompts import prepare
from caveat.backends.rl.rollouts import reply_key
from caveat.errors import CaveatError
from caveat.types.training import GRPOSettings
from quick_run import run
from rows import chat_row
from test_grpo_trainer import stage, vowels
from toy_study import Heard, rl_recipe

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
ADDED = tuple(chat_row(100 + number, "counter") for number in range(3))
JOBS = (
    RLJob("plain", stage(max_steps=2, reward="true_score", scale_rewards=False), 1),
    RLJob("passes", replace(stage(num_iterations=3, epsilon=0.05, max_steps=2), added=ADDED), 0),
    RLJob("kl", stage(beta=0.5, num_iterations=2, loss_type="dapo", skip_zero_variance=True), 0),
    RLJob("no grade", stage(max_steps=1), 7),
)
RESUMED = RLJob("resumed", stage(max_steps=1, start_step=2), 1)


@pytest.fixture(scope="module")
def policies(server, tmp_path_factory):
    """Per backend, results and events of all jobs, one of which resumes from another."""
    remote = open_backend(BackendSource("tinker", "tiny"))
    outcomes = []
    for backend in (load_backend("tiny"), remote):
        cells = [prepare(backend.tokenizer, job) for job in (*JOBS, RESUMED)]
        keys = [
            reply_key(cell, turn, index, number)
            for cell in cells
            for turn in range(cell.rl.max_steps)
            for index in range(3)
            for number in range(cell.rl.num_generations)
        ]
        server.keys = {seed_of(key): key for key in keys}
        events = []
        results = backend.train_rl(JOBS[:3], vowels, events.append)
        folder = tmp_path_factory.mktemp("policy")
        backend.save(results[0].adapter, folder)
        resumed = replace(RESUMED, resume_from=folder)
        results += backend.train_rl([resumed], vowels, events.append)
        outcomes.append((results, {(event.job, event.step): event for event in events}))
    yield outcomes
    remote.service.close()


def test_every_update_is_the_same(policies):
    (local, events), (remote, others) = policies
    assert events.keys() == others.keys() and len(events) == 2 + 2 + 3 + 1
    for key, event in events.items():
        other = others[key]
        assert other.loss == pytest.approx(event.loss, abs=1e-4), key
        assert other.grad_norm == pytest.approx(event.grad_norm, rel=5e-3, abs=1e-5), key
        assert other.metrics == pytest.approx(event.metrics, abs=1e-4), key
        assert (other.steps, other.tokens) == (event.steps, event.tokens), key
    for one, other in zip(local, remote, strict=True):
        assert [replace(update, kl=None) for update in one.updates] == [
            replace(update, kl=None) for update in other.updates
        ]
        assert one.tokens == other.tokens
    assert any(event.metrics["clip_ratio"] > 0 for event in events.values())
    assert any(event.metrics.get("kl", 0) > 0 for event in events.values())


def test_a_reply_without_a_grade_fails_its_policy(server):
    remote = open_backend(BackendSource("tinker", "tiny"))
    results = remote.train_rl(JOBS[3:], lambda some: ["it broke"] * len(some))
    assert results == [Failed("no grade", "update 1: it broke")]
    remote.service.close()


@pytest.mark.parametrize("advantage", [1.5, -0.7, 0.0])
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_the_weights_are_the_gradient_of_the_local_loss(advantage, beta):
    generator = np.random.default_rng(0)
    sampled, before = generator.normal(-2, 1, (2, 64))
    now = sampled + generator.normal(0, 0.3, 64)
    rl = GRPOSettings(task="t", epsilon=0.1, epsilon_high=0.2, beta=beta)
    ours = slopes(now, sampled, before if beta else None, advantage, rl)
    log_p = torch.tensor(now, requires_grad=True)
    old, reference = torch.tensor(sampled), torch.tensor(before)
    worth = torch.full((64,), advantage, dtype=torch.float64)
    gaps = divergence(log_p, old, reference)
    loss = clipped_loss(log_p, old, worth, 0.1, 0.2) + beta * gaps
    loss.sum().backward()
    assert np.allclose(ours.loss, loss.detach().numpy())
    assert np.allclose(ours.slope, log_p.grad.numpy())
    clipped = is_clipped(log_p, old, worth, 0.1, 0.2)
    assert (ours.is_clipped == clipped.numpy()).all() and clipped.any() == (advantage != 0)
    if beta:
        assert np.allclose(ours.divergence, gaps.detach().numpy())


@pytest.mark.slow
def test_a_study_of_policies(server, tmp_path):
    recipe = rl_recipe(backend="tinker", arms=["base", "bare"])
    study = run(recipe, tmp_path / "study", Heard())
    assert len(study.failures()) == 0 and len(study.policies()) == 4
    assert server.calls["load_weights"] == 1, "the second stage goes on from the first"


@pytest.mark.parametrize(
    ("rl", "line"),
    [
        ({"temperature": 0.5}, "RL at a temperature other than 1 (rl.temperature 0.5)"),
        ({"optim": "sgd"}, "the optimizer SGD (rl.optim sgd)"),
    ],
)
def test_what_policies_cannot_be(server, tmp_path, rl, line):
    with pytest.raises(CaveatError, match="bare") as refused:
        run(rl_recipe(rl, backend="tinker", arms=["base", "bare"]), tmp_path)
    assert f"needs {line}, which this backend of tiny does not have" in str(refused.value)
    assert server.calls == {}
