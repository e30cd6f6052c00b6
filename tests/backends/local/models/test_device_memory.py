"""What memory is free, what a token of a pass takes, and how many tokens a pass may have."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from transformers import LlamaForCausalLM

from caveat.backends.capacity import BYTES_A_WEIGHT
from caveat.backends.jobs import TrainingJob
from caveat.backends.local.models import device_memory
from caveat.backends.local.models.device_memory import (
    BYTES_HELD,
    LEAST_TOKENS,
    LOGITS_COPIES,
    MOST_TOKENS,
    SHARE,
    affordable_tokens,
    free,
    most_tokens,
    token_bytes,
)
from caveat.backends.local.models.loading import LanguageModel, load
from caveat.backends.local.models.reader import Reader
from caveat.backends.local.training.lockstep import LockstepGroup
from caveat.backends.local.training.sft import train
from caveat.progress import Progress
from rows import chat_row, stage

CPU = torch.device("cpu")
JOBS = TrainingJob("long", stage(10), 0), TrainingJob("added", stage(7, added=5), 1)


def test_a_limit_of_the_container_counts(tmp_path, monkeypatch):
    group = tmp_path / "groups" / "outer" / "inner"
    group.mkdir(parents=True)
    (tmp_path / "cgroup").write_text("0::/outer/inner\n")
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("0\n")
    (group / "memory.stat").write_text("inactive_file 0\n")
    monkeypatch.setattr(device_memory, "PROCESS", tmp_path)
    monkeypatch.setattr(device_memory, "CGROUPS", tmp_path / "groups")
    whole = free(CPU)
    (group.parent / "memory.max").write_text("5000000\n")
    (group.parent / "memory.current").write_text("3000000\n")
    (group.parent / "memory.stat").write_text("inactive_file 500000\n")
    assert free(CPU) == 2_500_000 < whole
    monkeypatch.setattr(device_memory, "_processes", 2)
    assert free(CPU) == 1_250_000


def like(tiny: LanguageModel, **sizes: int) -> LanguageModel:
    """A model of other sizes with the tiny one's vocabulary."""
    config = type(tiny.model.config)(**tiny.model.config.to_dict() | sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return replace(tiny, model=LlamaForCausalLM(config).eval().requires_grad_(False))


def held(language_model: LanguageModel, layers: tuple[float, float]) -> tuple[int, int]:
    """Bytes that a step holds for backward, and its tokens."""
    stored: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter) and tensor.grad_fn is not None:
            storage = tensor.untyped_storage()
            stored[storage.data_ptr()] = storage.nbytes()
        return tensor

    group = stage(8, layers=layers, batch_size=8, epochs=1)
    with saved_tensors_hooks(note, lambda tensor: tensor):
        (trained,) = train(language_model, [TrainingJob("one", group, 0)], Progress(), 4096)
    return sum(stored.values()), trained.tokens


@pytest.mark.parametrize("layers", [(0.0, 1.0), (0.5, 1.0)])
@pytest.mark.parametrize("sizes", [{}, {"intermediate_size": 384}, {"num_hidden_layers": 4}])
def test_the_bytes_of_a_token_are_about_those_that_backward_needs(tiny, sizes, layers):
    language_model = like(tiny, **sizes)
    stored, tokens = held(language_model, layers)
    lowest = round(layers[0] * language_model.model.config.num_hidden_layers)
    counted = tokens * token_bytes(language_model.model, lowest)
    assert 0.4 * counted < stored < counted


def test_a_token_in_bfloat16_holds_more_than_half_of_one_in_float32(tiny):
    whole = (0.0, 1.0)
    (shorter, tokens), (exact, same) = (
        held(model, whole) for model in (load("tiny", "bfloat16"), load("tiny"))
    )
    assert tokens == same
    assert shorter / exact == pytest.approx(BYTES_HELD[2] / BYTES_HELD[4], rel=0.1)


def test_whole_logits_count_where_they_are_there_together(tiny):
    model, vocabulary = tiny.model, len(tiny.tokenizer)
    more = token_bytes(model, whole_logits=True) - token_bytes(model)
    assert more == LOGITS_COPIES * 4 * vocabulary
    kl = TrainingJob("kl", replace(stage(4), kl_rows=(chat_row(50),), kl_weight=1.0), 0)
    plain = TrainingJob("plain", stage(4), 0)
    assert budget(tiny, kl, 10**8) < budget(tiny, plain, 10**8)


def budget(language_model: LanguageModel, job: TrainingJob, memory: int) -> int:
    """Padded tokens of a pass where so much memory is free, and nothing else bounds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_memory, "free", lambda device: memory)
        patch.setitem(MOST_TOKENS, "cpu", 10**9)
        return LockstepGroup(language_model, [job], Progress(), None).token_budget


def test_tokens_of_a_pass_are_what_memory_allows_beside_the_adapters(monkeypatch):
    monkeypatch.setattr(device_memory, "free", lambda device: 1_000_000)
    assert affordable_tokens(1000.0, 0, CPU, 4) == 1000 * SHARE
    assert affordable_tokens(1000.0, 10_000, CPU, 4) == 1000 * SHARE - 10 * BYTES_A_WEIGHT
    assert affordable_tokens(1.0, 0, CPU, 4) == MOST_TOKENS["cpu"]
    assert affordable_tokens(1e9, 0, CPU, 4) == LEAST_TOKENS
    # half the bytes a value, twice the tokens: half as much memory again, and fewer calls
    assert affordable_tokens(1.0, 0, CPU, 2) == 2 * MOST_TOKENS["cpu"]
    assert most_tokens(torch.device("cuda"), 2) == most_tokens(torch.device("cuda"), 4)


def test_training_with_little_memory_gives_the_same(tiny, monkeypatch):
    budgets = []
    batches = Reader.batches

    def noted(self, examples, token_budget):
        budgets.append(token_budget)
        return batches(self, examples, token_budget)

    monkeypatch.setattr("caveat.backends.local.models.reader.Reader.batches", noted)
    results = {}
    for memory, tokens in ((10**12, MOST_TOKENS["cpu"]), (0, LEAST_TOKENS)):
        monkeypatch.setattr(device_memory, "free", lambda device, memory=memory: memory)
        results[memory] = train(tiny, JOBS, Progress())
        assert set(budgets) == {tokens}
        budgets.clear()
    for much, little in zip(*results.values(), strict=True):
        assert little.losses == pytest.approx(much.losses, rel=1e-4)


def test_a_process_that_shares_a_gpu_keeps_to_its_part():
    try:
        device_memory.share_with(1, gpu_share=0.5)
        left_to_take = [
            device_memory.free_of_share(left, total=100, allocated=allocated)
            for left, allocated in ((80, 10), (20, 10), (80, 60))
        ]
    finally:
        device_memory.share_with(1)
    assert left_to_take == [40, 20, 0]
    assert device_memory.free_of_share(80, total=100, allocated=10) == 80
