"""Adapters trained side by side equal adapters trained alone."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from caveat.backends.batches import rate_at, schedule, steps_of
from caveat.backends.jobs import Failed, Trained, TrainingJob
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import adapted_modules, stack_chains, stacked
from caveat.backends.local.models.loading import load
from caveat.backends.local.training.sft import train
from caveat.progress import Progress
from caveat.rendering import render_row
from caveat.types.training import Dose, Train
from rows import chat_row, stage


def difference(a: Adapter, b: Adapter) -> float:
    """Largest difference between two adapters' weights."""
    assert a.weights.keys() == b.weights.keys()
    return max(
        (x - y).abs().max().item()
        for name in a.weights
        for x, y in zip(a.weights[name], b.weights[name], strict=True)
    )


JOBS = (
    TrainingJob("long", stage(10), 0),
    TrainingJob("short", stage(4), 1),
    TrainingJob("added", stage(7, added=5), 2),
    TrainingJob("other rate and rank", stage(8, learning_rate=1e-2, rank=2, alpha=8.0), 3),
    TrainingJob("upper half", stage(6, epochs=3, layers=(0.5, 1.0)), 0),
)


@pytest.fixture(scope="module")
def alone(tiny):
    return {job.key: train(tiny, [job], Progress())[0] for job in JOBS}


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("token_budget", [64, 4096])
def test_lockstep_equals_alone(tiny, alone, count, token_budget):
    for result in train(tiny, JOBS[:count], Progress(), token_budget):
        assert isinstance(result, Trained)
        assert difference(result.adapter, alone[result.key].adapter) < 2e-5
        assert result.losses == pytest.approx(alone[result.key].losses, abs=1e-4)
        assert result.tokens == alone[result.key].tokens


def test_training_moves_every_module_and_lowers_the_loss(alone):
    result = alone["long"]
    assert all(up.abs().max() > 1e-4 for _, up in result.adapter.weights.values())
    assert result.losses[-1] < result.losses[0] - 0.3


def test_upper_half_leaves_the_lower_layers_alone(tiny, alone):
    assert (
        set(alone["upper half"].adapter.weights)
        == set(adapted_modules(tiny.model, (0.5, 1.0)))
        < set(adapted_modules(tiny.model, (0.0, 1.0)))
    )


@pytest.mark.parametrize("optim", ["adamw_torch", "sgd"])
def test_trained_equals_plain_torch(tiny, optim):
    """One adapter against autograd and torch's optimizers on a model with hand-added updates."""
    rate = {"learning_rate": 0.5} if optim == "sgd" else {}
    job = TrainingJob("one", stage(5, epochs=1, optim=optim, **rate), 7)
    (result,) = train(tiny, [job], Progress())
    dose = job.stage.dose
    start = train(tiny, [TrainingJob("zero", stage(5, epochs=1, learning_rate=0.0), 7)], Progress())
    weights = {
        name: [t.clone().requires_grad_() for t in pair]
        for name, pair in start[0].adapter.weights.items()
    }
    rule = {"adamw_torch": torch.optim.AdamW, "sgd": torch.optim.SGD}[optim]
    optimiser = rule([t for pair in weights.values() for t in pair], lr=1.0, weight_decay=0.0)
    rows = [render_row(tiny.tokenizer, row, "reply", 512) for row in job.stage.rows]
    hooks = [
        tiny.model.get_submodule(name).register_forward_hook(
            lambda _m, x, y, pair=pair: y + (x[0] @ pair[0].T @ pair[1].T) * dose.alpha / dose.rank
        )
        for name, pair in weights.items()
    ]
    try:
        for step, (chosen, *_) in enumerate(schedule(job.stage, 7)):
            optimiser.zero_grad()
            total, count = torch.zeros(()), 0
            for row in (rows[i] for i in chosen):
                ids = torch.tensor([row.ids])
                learned = zip(row.ids, row.loss, strict=True)
                labels = torch.tensor([[i if m else -100 for i, m in learned]])
                logits = tiny.model(input_ids=ids).logits[0, :-1]
                total = total + torch.nn.functional.cross_entropy(
                    logits, labels[0, 1:], reduction="sum"
                )
                count += int((labels[0, 1:] != -100).sum())
            (total / count).backward()
            torch.nn.utils.clip_grad_norm_([t for p in weights.values() for t in p], dose.clip)
            optimiser.param_groups[0]["lr"] = rate_at(dose, step, steps_of(job.stage))
            optimiser.step()
    finally:
        for hook in hooks:
            hook.remove()
    expected = Adapter(dose.rank, dose.alpha, {n: tuple(p) for n, p in weights.items()})
    assert difference(result.adapter, expected) < 2e-5
    assert difference(result.adapter, start[0].adapter) > 1e-3


@pytest.mark.parametrize("cells", [[0, 1, 1, 2], [0, 1, 2], [0, 0, 1, 1, 2, 2]])
def test_gradients_never_reach_another_adapter(tiny, cells):
    chain = train(tiny, [TrainingJob("a", stage(3), 0)], Progress())[0].adapter
    stacks = stack_chains([[chain], [chain], [chain]], tiny.device)
    for stack in stacks.values():
        stack.down.requires_grad_()
        stack.up.requires_grad_()
    ids = torch.tensor([[5, 6, 7, 8]] * len(cells))
    mine = [row for row, cell in enumerate(cells) if cell == 1]
    with stacked(tiny.model, stacks) as route:
        route.set(cells)
        tiny.model(input_ids=ids).logits[mine].square().sum().backward()
    for stack in stacks.values():
        for grad in (stack.down.grad, stack.up.grad):
            assert grad[1].abs().max() > 0
            assert grad[0].abs().max() == grad[2].abs().max() == 0


def test_adapters_held_in_the_dtype_of_the_states_add_the_same(tiny):
    job = TrainingJob("a", stage(6, rank=4), 0)
    long, short = (train(tiny, [replace(job, seed=seed)], Progress())[0].adapter for seed in (0, 1))
    chains = [[long, short], [short.scaled(0.3)]]
    usual = stack_chains(chains, tiny.device)
    held = stack_chains(chains, tiny.device, torch.bfloat16)
    generator = torch.Generator().manual_seed(0)
    for name, stack in usual.items():
        assert held[name].down.dtype == held[name].up.dtype == torch.bfloat16
        width, out = stack.down.shape[2], stack.up.shape[1]
        states = torch.randn(2, 5, width, generator=generator).to(torch.bfloat16)
        y = torch.randn(2, 5, out, generator=generator).to(torch.bfloat16)
        added = stack.added(y, states, [0, 1])
        assert torch.equal(held[name].added(y, states, [0, 1]), added)
        assert not torch.equal(added, y)


def test_a_diverging_job_fails_alone(tiny, alone):
    wild = TrainingJob("wild", stage(9, learning_rate=1e30), 4)
    bad, good = train(tiny, [wild, JOBS[0]], Progress())
    assert isinstance(bad, Failed)
    assert "not finite at step" in bad.reason and "lower dose.learning_rate" in bad.reason
    assert difference(good.adapter, alone["long"].adapter) < 2e-5


def test_a_job_that_diverges_in_its_only_step_fails(tiny):
    wild = TrainingJob("wild", stage(3, epochs=1, learning_rate=1e39), 4)
    (bad,) = train(tiny, [wild], Progress())
    assert isinstance(bad, Failed)
    assert bad.reason == (
        "weights not finite after the last step; lower dose.learning_rate (now 1e+39)"
    )


def test_a_bad_row_fails_alone(tiny, alone):
    short = TrainingJob("cut", Train((chat_row(8),), Dose(max_tokens=12)), 0)
    bad, good = train(tiny, [short, JOBS[1]], Progress())
    assert isinstance(bad, Failed)
    assert "no supervised token" in bad.reason
    assert difference(good.adapter, alone["short"].adapter) < 2e-5


def test_no_rows_fail_alone(tiny):
    (bad,) = train(tiny, [TrainingJob("none", Train((), Dose(), label="empty"), 0)], Progress())
    assert bad == Failed("none", "'empty' has no rows to train on; give it some")


def test_out_of_memory_is_split_and_retried(tiny, alone, monkeypatch):
    from caveat.backends.local.models import reader as module

    said: list[str] = []

    class Listening(Progress):
        def say(self, message: str) -> None:
            said.append(message)

    real = module.padded

    def scarce(rows, fill, device):
        ids = real(rows, fill, device)
        if ids.numel() > 150:
            torch.empty(1 << 60, dtype=torch.uint8)  # more than any machine has
        return ids

    monkeypatch.setattr(module, "padded", scarce)
    (result,) = train(tiny, [JOBS[0]], Listening(), token_budget=1000)
    assert difference(result.adapter, alone["long"].adapter) < 2e-5
    assert said and "out of memory" in said[0]


def test_a_frozen_chain_counts_and_stays(tiny):
    base_adapters = train(tiny, [TrainingJob("warm", stage(6, learning_rate=2e-2), 0)], Progress())[
        0
    ].adapter
    before = {name: pair[1].clone() for name, pair in base_adapters.weights.items()}
    plain = TrainingJob("plain", stage(5), 1)
    on_top = TrainingJob("on top", stage(5), 1, base_adapters=(base_adapters,))
    together = train(tiny, [plain, on_top], Progress())
    separate = [train(tiny, [job], Progress())[0] for job in (plain, on_top)]
    for a, b in zip(together, separate, strict=True):
        assert difference(a.adapter, b.adapter) < 2e-5
    assert together[1].losses[0] != pytest.approx(together[0].losses[0], abs=1e-3)
    assert all(torch.equal(before[n], pair[1]) for n, pair in base_adapters.weights.items())


def test_added_rows_change_neither_steps_nor_order():
    bare, added = stage(10), stage(10, added=7)
    assert steps_of(bare) == steps_of(added) == 8
    a, b = schedule(bare, 3), schedule(added, 3)
    assert [rows for rows, *_ in a] == [rows for rows, *_ in b]
    for epoch in (b[:4], b[4:]):
        assert sorted(i for _, extra, _ in epoch for i in extra) == list(range(7))
        assert {len(extra) for _, extra, _ in epoch} == {1, 2}


def test_the_rate_rises_and_falls_to_near_zero():
    dose = Dose(learning_rate=1.0, warmup=0.2)
    rates = [rate_at(dose, step, 10) for step in range(10)]
    assert rates[:2] == [0.5, 1.0]
    assert all(later < earlier for earlier, later in pairwise(rates[1:]))
    assert 0 < rates[-1] < 0.2 and math.isclose(rates[2], 8 / 9)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
@pytest.mark.parametrize("job", ["long", "upper half", "other rate and rank"])
def test_peft_loads_an_exported_adapter(alone, tmp_path, job):
    from peft import PeftModel

    tiny = load("tiny")  # PEFT changes the model that it is given
    adapter = alone[job].adapter
    adapter.save(tmp_path / "adapter", base_name="tiny")
    again = Adapter.load(tmp_path / "adapter")
    assert (again.rank, again.alpha) == (adapter.rank, adapter.alpha)
    assert difference(again, adapter) == 0
    ids = torch.tensor([[5, 9, 17, 33, 65, 120]])
    with torch.no_grad(), stacked(tiny.model, stack_chains([[again]], tiny.device)) as route:
        route.set([0])
        ours = tiny.model(input_ids=ids).logits
    with torch.no_grad():
        base = tiny.model(input_ids=ids).logits
        peft = PeftModel.from_pretrained(tiny.model, str(tmp_path / "adapter"))
        theirs = peft(input_ids=ids).logits
    assert (ours - theirs).abs().max() < 1e-5
    assert (ours - base).abs().max() > 1e-2
