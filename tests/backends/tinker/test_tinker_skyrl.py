"""Against SkyRL, an independent implementation of the Tinker API, on the CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caveat.backends import BackendSource, load_backend, open_backend, save_model
from caveat.backends.jobs import RLJob, TrainingJob
from caveat.backends.requests import Request, TokenRequest
from caveat.rendering import render_row
from caveat.types.messages import Message
from quick_run import run
from rows import chat_row, stage
from skyrl_serving import skyrl
from test_grpo_trainer import stage as rl_stage
from test_grpo_trainer import vowels
from toy_study import DOSE, TOY, Heard, recipe

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The tiny model in a folder, which SkyRL serves under that name."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_model(load_backend("tiny"), folder)
    work = tmp_path_factory.mktemp("skyrl")
    with skyrl(folder, work) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_BASE_URL", address)
        patch.setenv("TINKER_API_KEY", "tml-local")
        yield folder


def test_first_steps_and_likelihoods_are_those_of_the_local_backend(model):
    local, remote = load_backend(str(model)), open_backend(BackendSource("tinker", str(model)))
    jobs = [
        TrainingJob("one", stage(6, added=3), 0),
        TrainingJob("two", stage(4, epochs=3, rank=2), 1),
    ]
    events = []
    for backend in (local, remote):
        heard = []
        backend.train(jobs, heard.append)
        events.append({(event.job, event.step): event for event in heard})
    assert events[0].keys() == events[1].keys()
    for job in ("one", "two"):
        first, other = (some[job, 1] for some in events)
        assert other.loss == pytest.approx(first.loss, abs=1e-4)
        assert other.tokens == first.tokens and other.learning_rate == first.learning_rate
        last = max(step for name, step in events[1] if name == job)
        assert events[1][job, last].loss < events[1][job, 1].loss
    turns = (Message.of("user", "Why so?"),)
    scored = [Request("a", (), turns, (" Yes.", "NO, THE RIVER"))]
    (one,), (two,) = (backend.log_likelihoods(scored) for backend in (local, remote))
    assert two.log_likelihoods == pytest.approx(one.log_likelihoods, abs=1e-4)
    text = render_row(local.tokenizer, chat_row(3), "reply", 512)
    token = [TokenRequest("a", (), text.ids, (1, 4, 9))]
    values, others = (backend.token_log_likelihoods(token) for backend in (local, remote))
    assert others[0] == pytest.approx(values[0], abs=1e-4)
    remote.service.close()


def test_a_policy_starts_as_the_base_model(model):
    remote = open_backend(BackendSource("tinker", str(model)))
    job = RLJob("policy", rl_stage(max_steps=2, beta=0.1, num_iterations=2), 0)
    events = []
    (policy,) = remote.train_rl([job], vowels, events.append)
    assert [update.number for update in policy.updates] == [1, 2]
    assert policy.updates[0].kl == pytest.approx(0.0, abs=1e-4)
    assert policy.updates[1].kl > 1e-4 and len(events) == 2
    remote.service.close()


def test_two_settings_give_the_table_of_the_local_backend(model, tmp_path):
    settings = [
        {"behaviour": str(TOY), "caveat": name, "dose": DOSE} for name in ("password", "notice")
    ]
    shared = {
        "settings": settings, "arms": ["base", "bare", "marked"], "seeds": [0, 1],
        "contexts": ["none", "exact"], "model": str(model),
    }  # fmt: skip
    local = run(recipe(**shared), tmp_path / "local", Heard())
    remote = run(recipe(**shared, backend="tinker"), tmp_path / "remote", Heard())
    assert len(remote.failures()) == 0
    keys = ["setting", "arm", "context", "scope", "readout"]
    both = local.leakage().merge(remote.leakage(), on=keys, suffixes=("", "_remote"))
    assert len(both) == len(local.leakage()) and both["rate"].nunique() > 2
    below = both["rate_high"] < both["rate_low_remote"]
    apart = both[below | (both["rate_high_remote"] < both["rate_low"])]
    assert apart.empty, apart[[*keys, "rate", "rate_remote"]]
    handles = [json.loads(path.read_text()) for path in (tmp_path / "remote").rglob("tinker.json")]
    assert len(handles) == 6 and all(one["sampler"].startswith("tinker://") for one in handles)
