"""Rows read above remembered layers equal rows read whole, and are read beneath once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from transformers import LlamaForCausalLM

from caveat.backends.batches import Example
from caveat.backends.jobs import Trained, TrainingJob
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import Route
from caveat.backends.local.models.frozen_layer_cache import lowest_layer
from caveat.backends.local.models.loading import LanguageModel
from caveat.backends.local.models.packing import Packed, pack
from caveat.backends.local.sampling.answers import answer
from caveat.backends.local.training.sft import train
from caveat.backends.requests import Request
from caveat.progress import Progress
from caveat.types.answers import Sampling
from caveat.types.messages import Message
from rows import chat_row, stage

KEPT = tuple(chat_row(100 + i) for i in range(4))
UPPER = TrainingJob("upper", stage(6, layers=(0.5, 1.0)), 0)
JOBS = {
    "one": [UPPER],
    "unlike depths": [
        UPPER,
        TrainingJob("more", stage(8, added=3, layers=(0.25, 1.0)), 1),
        TrainingJob("fewer", stage(5, layers=(0.75, 1.0), rank=2), 2),
    ],
    "kept": [
        UPPER,
        TrainingJob("kept", replace(stage(8, layers=(0.5, 1.0)), kl_rows=KEPT, kl_weight=3.0), 5),
    ],
}


@pytest.fixture(scope="module")
def four_layers(tiny) -> LanguageModel:
    """As the tiny model, but of four layers."""
    config = type(tiny.model.config)(**tiny.model.config.to_dict() | {"num_hidden_layers": 4})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config).eval().requires_grad_(False)
    return replace(tiny, model=model)


@pytest.fixture
def fresh(four_layers) -> LanguageModel:
    """The same model, with nothing remembered."""
    return replace(four_layers)


@pytest.fixture(scope="module")
def whole(four_layers) -> Callable[[Sequence[TrainingJob]], list[Trained]]:
    """Trains beside a job that adapts every layer, so that nothing is remembered."""

    def trained(jobs: Sequence[TrainingJob]) -> list[Trained]:
        every = TrainingJob("every layer", stage(3), 9)
        language_model = replace(four_layers)
        results = train(language_model, [*jobs, every], Progress())[:-1]
        assert language_model.frozen_layer_cache.size == 0
        return results

    return trained


def lone(ids: tuple[int, ...]) -> Packed:
    """A row of one example."""
    return pack([Example(0, ids, ())])


@contextmanager
def rows_read(language_model: LanguageModel, layer: int = 0) -> Iterator[list[int]]:
    """Per call of a layer, the rows that it read: the examples, where they were packed."""
    counts: list[int] = []
    hook = (
        language_model.model.get_decoder()
        .layers[layer]
        .register_forward_hook(
            lambda _module, read, arguments, _out: counts.append(
                len(arguments["packing"].apart if "packing" in arguments else read[0])
            ),
            with_kwargs=True,
        )
    )
    try:
        yield counts
    finally:
        hook.remove()


def assert_same(some: Sequence[Trained], others: Sequence[Trained]) -> None:
    for a, b in zip(some, others, strict=True):
        assert a.adapter.weights.keys() == b.adapter.weights.keys()
        for name, pair in a.adapter.weights.items():
            for x, y in zip(pair, b.adapter.weights[name], strict=True):
                gap = (x - y).abs()
                assert gap.mean() < 1e-6
                assert gap.max() < 1e-4  # where a gradient is near 0, Adam's step is all its sign
        assert a.losses == pytest.approx(b.losses, abs=1e-5)
        assert a.tokens == b.tokens


@pytest.mark.parametrize("jobs", JOBS.values(), ids=JOBS.keys())
@pytest.mark.parametrize("token_budget", [64, 4096])
def test_remembered_equals_whole(fresh, whole, jobs, token_budget):
    results = train(fresh, jobs, Progress(), token_budget)
    assert fresh.frozen_layer_cache.size > 0
    assert_same(results, whole(jobs))


def test_known_rows_are_not_read_beneath_again(fresh):
    fresh.reader(2)  # reads a few tokens to see whether the model can be cut
    with rows_read(fresh) as base_adapters, rows_read(fresh, 2) as above:
        train(fresh, [UPPER], Progress())
        assert sum(base_adapters) == 6  # two epochs
        assert sum(above) == 12
        again = [replace(UPPER, seed=3), TrainingJob("arm", stage(7, layers=(0.5, 1.0)), 4)]
        train(fresh, again, Progress())
        assert sum(base_adapters) == 7  # other seeds and arms, and one further row


def test_a_row_that_several_cells_read_at_once_is_read_beneath_once(fresh):
    fresh.reader(2)
    with rows_read(fresh) as base_adapters:
        train(fresh, [replace(UPPER, key=str(seed), seed=seed) for seed in range(3)], Progress())
    assert sum(base_adapters) == 6


def test_an_adapter_beneath_lowers_the_layer(fresh, whole, four_layers):
    low = TrainingJob("low", stage(6, layers=(0.25, 0.5), learning_rate=2e-2), 0)
    (warm,) = train(four_layers, [low], Progress())
    on_top = [replace(UPPER, base_adapters=(warm.adapter,)), replace(UPPER, key="plain", seed=4)]
    assert lowest_layer(fresh.model, warm.adapter.weights) == 1
    results = train(fresh, on_top, Progress())
    assert {layer for layer, _ in fresh.frozen_layer_cache._states} == {1}
    assert_same(results, whole(on_top))


def test_more_than_fits_is_forgotten_and_read_again(fresh, whole):
    fresh.frozen_layer_cache.capacity = 2 * 64 * 4 * 40  # two rows of 40 tokens
    with rows_read(fresh) as base_adapters:
        results = train(fresh, [UPPER], Progress())
    assert 0 < fresh.frozen_layer_cache.size <= fresh.frozen_layer_cache.capacity
    assert fresh.frozen_layer_cache.size == sum(
        state.nbytes for state in fresh.frozen_layer_cache._states.values()
    )
    assert sum(base_adapters) > 7
    assert_same(results, whole([UPPER]))


def test_the_rows_used_last_are_kept(fresh):
    reader = fresh.reader(2)
    rows = [tuple(range(start, start + 10)) for start in (5, 25, 45)]
    fresh.frozen_layer_cache.capacity = 2 * 10 * 64 * 4
    for some in ([0, 1], [0], [2]):
        fresh.frozen_layer_cache.states(2, [lone(rows[i]) for i in some], reader.split)
    assert [ids for _, ids in fresh.frozen_layer_cache._states] == [rows[0], rows[2]]


def test_states_of_unlike_rows_are_padded_with_zeros(fresh):
    reader = fresh.reader(2)
    rows = [lone(ids) for ids in ((5, 6, 7), (5,), (5, 6, 7))]
    states = fresh.frozen_layer_cache.states(2, rows, reader.split)
    assert states.shape == (3, 3, 64)
    assert torch.equal(states[0], states[2])
    assert torch.allclose(states[1, 0], states[0, 0], atol=1e-6)
    assert states[1, 1:].abs().max() == 0
    assert fresh.frozen_layer_cache.size == 4 * 64 * 4


def test_out_of_memory_above_forgets_and_goes_on(fresh, whole):
    reader, capacity = fresh.reader(2), fresh.frozen_layer_cache.capacity
    assert reader.split is not None

    def scarce(_module, read):
        if read[0].shape[:2].numel() > 100:
            torch.empty(1 << 60, dtype=torch.uint8)  # more than any machine has

    hook = fresh.model.get_decoder().layers[3].register_forward_pre_hook(scarce)
    try:
        results = train(fresh, [UPPER], Progress(), token_budget=1000)
    finally:
        hook.remove()
    assert fresh.frozen_layer_cache.capacity < capacity
    assert_same(results, whole([UPPER]))


def asked(language_model: LanguageModel, adapters: dict[str, Adapter]) -> list[tuple[float, ...]]:
    requests = [
        Request(
            f"{name}-{number}",
            (name,) if name else (),
            (Message.of("user", f"Why {number}?"),),
            ("Because.", "No reason at all."),
        )
        for name in ("", *adapters)
        for number in range(3)
    ]
    answers = answer(language_model, adapters, requests, Sampling(), Progress())
    return [each.log_likelihoods for each in answers]


def test_likelihoods_above_remembered_layers_equal_whole_ones(fresh, four_layers):
    jobs = [replace(UPPER, key=key, seed=seed) for seed, key in enumerate("ab")]
    adapters = {result.key: result.adapter for result in train(four_layers, jobs, Progress())}
    lower = train(four_layers, [TrainingJob("c", stage(3), 5)], Progress())[0].adapter
    fresh.reader(2)
    with rows_read(fresh) as base_adapters:
        found = asked(fresh, adapters)
    assert sum(base_adapters) == 6  # three questions with two options each, for three models
    expected = asked(replace(four_layers), adapters | {"c": lower})
    for some, others in zip(found, expected, strict=False):
        assert some == pytest.approx(others, abs=1e-4)


def test_training_goes_on_from_rows_that_likelihoods_read(fresh, whole):
    """Tensors of inference mode could not be trained from."""
    reader = fresh.reader(2)
    with torch.inference_mode():
        reader.cache.states(2, [lone((5, 6, 7))], reader.split)
    states = reader.cache.states(2, [lone((5, 6, 7))], reader.split)
    assert not any(state.is_inference() for state in fresh.frozen_layer_cache._states.values())
    assert not states.is_inference()


@pytest.mark.parametrize("name", ["tiny_scaled", "tiny_multiplied"])
def test_logits_that_a_model_scales_are_scaled(request, name):
    language_model = request.getfixturevalue(name)
    model = language_model.model
    ids = (5, 9, 2, 7, 4)
    expected = model(input_ids=torch.tensor([ids])).logits[0, :-1]
    for layer in (0, 1):
        reader = language_model.reader(layer)
        (batch,) = reader.batches([Example(0, ids, (1, 2, 3, 4))], 100)
        assert torch.allclose(reader.logits(batch, Route()), expected, atol=1e-5)
        found = reader.log_probabilities(batch, Route(), torch.tensor(ids[1:]))
        logs = expected.log_softmax(-1)[torch.arange(4), torch.tensor(ids[1:])]
        assert torch.allclose(found, logs, atol=1e-5)
