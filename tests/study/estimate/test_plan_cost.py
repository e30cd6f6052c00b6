"""What a plan estimates: tokens, time by remembered rates, memory."""

from __future__ import annotations

import pytest
import torch
from rich.console import Console

from caveat.backends import load_backend
from caveat.backends.local.models.builtin import make_tiny
from caveat.backends.local.models.device_memory import logits_at_once, token_bytes
from caveat.cli.console import plan_table
from caveat.progress import Progress
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.estimate.plan_cost import plan_cost
from caveat.study.estimate.pool_use import PoolUse, pool_use
from caveat.study.estimate.rates import entry_of, remember
from caveat.study.execution.meter import KINDS, REPLY_SHARE
from caveat.study.execution.tasks import steps
from caveat.study.planning.study_plan import study_plan
from quick_run import run
from toy_study import SMALL, rl_recipe, small


class Tokens(Progress):
    """Sums the tokens of each kind of work."""

    def __init__(self):
        self.kinds = dict.fromkeys(KINDS, 0)

    def advance(self, kind, tokens):
        self.kinds[kind] += tokens


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of two models: the second has about twice the weights of the first."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tiny, tokenizer, _ = make_tiny("tiny")
    folders = []
    for layers in (3, 6):
        folder = tmp_path_factory.mktemp(f"layers-{layers}")
        fields = {**tiny.config.to_dict(), "hidden_size": 512, "intermediate_size": 2048}
        config = LlamaConfig(**{**fields, "head_dim": 128, "num_hidden_layers": layers})
        LlamaForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        folders.append(folder)
    return folders


def printed(plan) -> str:
    console = Console(width=400)
    with console.capture() as captured:
        console.print(plan_table(plan))
    return captured.get()


def test_training_and_scoring_are_counted_exactly_and_replies_at_most(tmp_path):
    heard = Tokens()
    run(small(), tmp_path / "study", heard)
    (planned,) = plan_cost(read(small()), tmp_path / "nothing", []).settings
    assert planned.tokens["train"] == heard.kinds["train"]
    assert planned.tokens["score"] == heard.kinds["score"]
    assert 0 < heard.kinds["reply"] <= planned.tokens["reply"] / REPLY_SHARE
    assert (planned.cells, planned.adapters, planned.answers) == (3, 2, 3 * (24 + 6))


def test_what_is_finished_costs_nothing(tmp_path):
    run(small(), tmp_path)
    done = plan_cost(read(small()), tmp_path, [])
    assert done.settings[0].seconds == 0 and done.disk == 0 and done.memory > 0
    assert "tokens per second" not in printed(done)


def test_a_plan_for_a_cluster_says_how_many_workers_are_of_use(tmp_path):
    """Two settings that differ in their dose, of two levels of training and then answers."""
    arms = ["base", "bare", "marked", "marked+seal"]
    settings = [
        {**small()["settings"][0], "dose": {**SMALL, "epochs": epochs}} for epochs in (1, 3)
    ]
    made = read(small(arms=arms, settings=settings, executor="ray", ray={"workers": 3}))
    plan = plan_cost(made, tmp_path, [])
    seconds = [cost.seconds for cost in plan.settings]
    assert plan.pool_use.work == pytest.approx(sum(seconds))
    assert max(seconds) / 3 < plan.pool_use.chain < max(seconds)
    assert plan.pool_use.least(3) == max(plan.pool_use.chain, sum(seconds) / 3)
    assert plan.pool_use.least(1) == plan.pool_use.work
    assert "3 workers (ray.workers) take" in printed(plan)
    assert plan_cost(made, tmp_path, ["executor=local"]).pool_use is None


def test_a_chain_is_of_tasks_that_need_each_other():
    assert pool_use([], lambda task: 1.0) == PoolUse(0, 0)
    recipe = read(small(arms=["base", "bare", "marked", "marked+seal"]))
    (setting,) = study_plan(recipe, resolve(recipe), "m").settings
    tasks = [task for _, stage in steps(setting) for task in stage]
    use = pool_use(tasks, lambda task: {"train": 10.0, "reply": 1.0, "score": 2.0}[task.kind])
    assert use.chain == 10 + 10 + 2, "bare and marked together, seal, and its likelihoods"
    assert use.work == 20 + sum(1 if task.kind == "reply" else 2 for task in tasks[2:])
    assert PoolUse(100, 30).useful_workers == 4


def test_memory_grows_with_the_tokens_of_a_pass(tmp_path):
    few, more = (
        plan_cost(read(small(token_budget=tokens)), tmp_path, []).memory for tokens in (100, 300)
    )
    a_token = token_bytes(load_backend("tiny").language_model.model)
    assert more - few == pytest.approx(200 * a_token, abs=2)
    assert few > 4 * logits_at_once(torch.device("cpu"))


def test_a_larger_model_takes_longer_in_proportion_to_its_weights(tmp_path, models):
    plans = [plan_cost(small(model=str(folder)), tmp_path / "study", []) for folder in models]
    few, many = (entry_of(load_backend(str(folder))).weights for folder in models)
    assert many > 1.9 * few > 19_000_000
    times = [sum(cost.seconds for cost in plan.settings) for plan in plans]
    assert times[1] / times[0] == pytest.approx(many / few)
    assert plans[1].memory - plans[0].memory > 4 * (many - few)
    assert (
        f"(no run of {models[1]} in float32 on this machine yet: scaled from SmolLM2-135M on two "
        "CPU cores by number of weights)" in printed(plans[1])
    )


def test_a_plan_uses_the_rates_of_earlier_runs(tmp_path):
    rates = {"train": (6000.0, 6.0), "reply": (700.0, 7.0), "score": (16000.0, 8.0)}
    remember(entry_of(load_backend("tiny")), rates, pytest.fail)
    plan = plan_cost(small(), tmp_path, [])
    tokens = plan.settings[0].tokens
    assert plan.settings[0].seconds == pytest.approx(
        tokens["train"] / 1000 + tokens["reply"] / 100 + tokens["score"] / 2000
    )
    assert (
        "tokens per second: training 1,000, replies 100, scoring 2,000 "
        "(as in earlier runs of tiny on this machine)" in printed(plan)
    )


def test_rates_are_printed_of_the_work_that_is_left(tmp_path):
    plain, policies = (printed(plan_cost(each, tmp_path, [])) for each in (small(), rl_recipe()))
    assert "tokens per second: training" in plain and "second: RL training" not in plain
    assert "tokens per second: RL training" in policies and "second: training" not in policies


def test_a_run_remembers_its_rates_and_they_change_no_digest(tmp_path, monkeypatch):
    monkeypatch.setattr("caveat.study.estimate.rates.SHORTEST", 0.0)
    first = run(small(), tmp_path / "first")
    plan = plan_cost(small(), tmp_path / "nothing", [])
    assert set(plan.rates.sources[kind] for kind in plan.kinds) == {
        "as in earlier runs of tiny on this machine"
    }
    second = run(small(), tmp_path / "second")
    assert first.store.digests() == second.store.digests()
    assert sorted(first.store.answers) == sorted(second.store.answers)


def test_a_damaged_file_of_rates_is_one_note(tmp_path, rates_file):
    rates_file.write_text("{")
    plan = plan_cost(small(), tmp_path, [])
    note = (
        f"{rates_file}: damaged, or of another version of caveat; ignored, the next run replaces it"
    )
    assert plan.notes.count(note) == 1
