"""The loss and gradients of practice agree with TRL's GRPO on the same replies."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch

from caveat.backends.jobs import RLJob
from caveat.backends.local.lora.stacked import stacked
from caveat.backends.local.rl.grpo_trainer import _Group
from caveat.backends.rl.prompts import prepare
from caveat.progress import Progress
from test_grpo_trainer import DOSE, stage, vowels

CASES = {
    "on-policy": {},
    "tokens alike": {"loss_type": "dapo"},
    "kl": {"beta": 0.3},
    "clipped": {"epsilon": 0.05, "epsilon_high": 0.1, "num_iterations": 2},
    "clipped, divergence, warm": {
        "beta": 0.2,
        "num_iterations": 2,
        "temperature": 0.7,
        "scale_rewards": False,
    },
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_are_trls(tiny, tmp_path, case):
    rl = {"max_steps": 1, "max_completion_length": 6} | CASES[case]
    job = RLJob("one", stage(rows=3, **rl), 0)
    group = _Group(tiny, [prepare(tiny.tokenizer, job)], vowels, Progress(), 4096)
    off_policy = rl.get("num_iterations", 1) > 1
    with stacked(tiny.model, group.base_adapters, group.stacks) as route:
        warm(group)
        replies = group._replies(0, route)
        examples = group._examples(replies)
        kept: dict = {}
        if off_policy:
            group._backward(examples, replies, kept, route)
            warm(group, 1)
        ours = group._backward(examples, replies, kept, route)[0][0]
    gradients = {
        name: (stack.down.grad[0], stack.up.grad[0]) for name, stack in group.stacks.items()
    }
    adapter = group.adapter(0)
    adapter.save(tmp_path / "adapter")
    theirs, model = of_trl(tiny, tmp_path, job.stage.rl, replies, kept, off_policy)
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert abs(theirs) > 1e-5 or case in ("on-policy", "tokens alike")
    for name, (down, up) in gradients.items():
        module = model.get_submodule(f"base_model.model.{name}")
        for mine, weight in ((down, module.lora_A), (up, module.lora_B)):
            expected = weight["default"].weight.grad
            assert expected.abs().max() > 1e-6
            assert torch.allclose(mine, expected, atol=1e-6 + 2e-4 * expected.abs().max().item())


def warm(group: _Group, seed: int = 0) -> None:
    """Let the policy differ from the model before."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for stack in group.stacks.values():
            stack.up += 0.02 * torch.randn(stack.up.shape, generator=generator)


def of_trl(tiny, place, rl, replies, kept, off_policy):
    """TRL's loss on the replies, each as often as it was drawn, and its model with gradients."""
    from datasets import Dataset
    from peft import PeftModel
    from trl import GRPOConfig, GRPOTrainer

    arguments = GRPOConfig(
        output_dir=str(place / "trl"),
        per_device_train_batch_size=12,
        num_generations=4,
        max_completion_length=rl.max_completion_length,
        beta=rl.beta,
        epsilon=rl.epsilon,
        epsilon_high=rl.epsilon_high,
        loss_type="grpo" if rl.loss_type == "grpo" else "dapo",
        temperature=rl.temperature,
        use_cpu=True,
        bf16=False,
        report_to="none",
    )
    model = PeftModel.from_pretrained(
        copy.deepcopy(tiny.model), str(place / "adapter"), is_trainable=True
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=arguments,
        train_dataset=Dataset.from_list([{"prompt": "a"}] * 12),
        processing_class=tiny.tokenizer,
    )
    rows = [tag for tag, each in enumerate(replies) for _ in range(drawn(each, replies, rl))]
    assert len(rows) == 12
    longest = SimpleNamespace(
        prompt=max(replies[tag].targets[0] for tag in rows),
        reply=max(len(replies[tag].ids) - replies[tag].targets[0] for tag in rows),
    )
    fill = tiny.tokenizer.pad_token_id or 0
    names = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")
    inputs = {name: [] for name in names}
    old, before = [], []
    for tag in rows:
        each = replies[tag]
        prompt, reply = each.ids[: each.targets[0]], each.ids[each.targets[0] :]
        ahead, behind = longest.prompt - len(prompt), longest.reply - len(reply)
        inputs["prompt_ids"].append([fill] * ahead + list(prompt))
        inputs["prompt_mask"].append([0] * ahead + [1] * len(prompt))
        inputs["completion_ids"].append(list(reply) + [fill] * behind)
        inputs["completion_mask"].append([1] * len(reply) + [0] * behind)
        for found, values in zip((old, before), kept[tag], strict=True):
            if values is not None:
                found.append(torch.nn.functional.pad(values, (0, behind)))
    batch = {name: torch.tensor(values) for name, values in inputs.items()}
    batch["advantages"] = torch.tensor([replies[tag].advantage for tag in rows])
    batch["num_items_in_batch"] = batch["completion_mask"].sum()
    if off_policy:
        batch["old_per_token_logps"] = torch.stack(old)
    if rl.beta:
        batch["ref_per_token_logps"] = torch.stack(before)
    trainer.current_gradient_accumulation_steps = 1
    trainer.args.steps_per_generation = 1
    loss = trainer._compute_loss(trainer.model, batch)
    loss.backward()
    return float(loss.detach()), model


def drawn(each, replies, rl) -> int:
    """How often a reply was drawn, off its weight."""
    length = len(each.targets)
    if rl.loss_type == "grpo":
        return round(each.weight * 12 * length)
    return round(each.weight / min(other.weight for other in replies))


def test_the_stage_is_small_enough_to_be_seen_whole():
    assert DOSE.batch_size * stage().rl.num_generations == 12
