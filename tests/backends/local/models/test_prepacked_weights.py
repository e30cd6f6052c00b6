"""Sampling in bfloat16 with weights that oneDNN has ordered: the same products, and no traces."""

from threading import Thread

import pytest
import torch
from torch import nn

from caveat.backends.local import backend as backend_module
from caveat.backends.local.backend import LocalBackend
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import Route, adapted_modules, stack_chains, stacked
from caveat.backends.local.models import prepacked_weights
from caveat.backends.local.models.loading import load
from caveat.backends.local.models.prepacked_weights import PrepackedWeights, can_prepack
from caveat.backends.local.sampling import answers
from caveat.backends.local.sampling.decoding import Prompt
from caveat.backends.local.sampling.generate import sample
from caveat.backends.local.training.lockstep import start_stacks
from caveat.backends.requests import Request, TokenRequest
from caveat.progress import Progress
from caveat.types.answers import Sampling
from caveat.types.messages import Message
from caveat.types.training import Dose

ROUNDING = 2.0**-7
"""Two roundings of bfloat16: with several threads, and on other processors, sums may be in another
order."""
SAMPLING = Sampling(max_tokens=8, temperature=1.0)
PROMPTS = [Prompt(str(n), 0, tuple(range(5, 12 + n % 5)), ()) for n in range(12)]


@pytest.fixture
def language_model():
    """In bfloat16, only where the machine and the build of torch can prepack."""
    if not can_prepack("cpu", torch.bfloat16):
        pytest.skip("this machine has no products of bfloat16 for which weights can be prepacked")
    return load("tiny", "bfloat16", "cpu")


@pytest.fixture
def products(monkeypatch):
    """Grows by one with each product of prepacked weights."""
    made = []
    usual = prepacked_weights._product
    monkeypatch.setattr(
        prepacked_weights, "_product", lambda *given: made.append(given) or usual(*given)
    )
    return made


def replies(language_model, route=None):
    return sample(language_model, PROMPTS, SAMPLING, route or Route(), Progress())


def linear_layers(model):
    return [part for part in model.modules() if type(part) is nn.Linear]


def plain(monkeypatch):
    monkeypatch.setattr(prepacked_weights, "can_prepack", lambda *_: False)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 3, 24, 200])
@pytest.mark.parametrize(("inner", "outer"), [(96, 40), (576, 1536), (1536, 576)])
def test_products_are_those_of_plain_weights_but_for_rounding(
    language_model, products, threads, rows, inner, outer
):
    torch.manual_seed(rows)
    layer = nn.Linear(inner, outer, bias=outer == 40).to(torch.bfloat16).requires_grad_(False)
    states = torch.randn(rows, 2, inner, dtype=torch.bfloat16)
    before, usual = torch.get_num_threads(), layer(states)
    try:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            PrepackedWeights(layer).prepare()
            assert torch.allclose(
                layer(states).float(), usual.float(), rtol=ROUNDING, atol=ROUNDING
            )
            assert products
    finally:
        torch.set_num_threads(before)


def test_replies_of_an_adapter_are_those_of_plain_weights(language_model, products, monkeypatch):
    model = language_model.model
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name in adapted_modules(model, (0.5, 1.0)):
        layer = model.get_submodule(name)
        down, up = (layer.in_features, layer.out_features)
        weights[name] = (
            torch.randn(2, down, generator=generator),
            torch.randn(up, 2, generator=generator),
        )
    stacks = stack_chains([[Adapter(2, 4.0, weights)]], "cpu")
    with stacked(model, stacks) as route:
        found = replies(language_model, route)
        count = len(products)
        assert language_model.prepacked_weights.nbytes == sum(
            layer.weight.nbytes for layer in linear_layers(model)
        )
        language_model.prepacked_weights.drop()
        plain(monkeypatch)
        assert replies(language_model, route) == found
    assert count and len(products) == count
    # other adapters, other replies: the comparison above sees a difference
    assert replies(language_model) != found


def test_two_threads_that_sample_get_the_same(language_model, products):
    alone = replies(language_model)
    language_model.prepacked_weights.drop()
    found = {}
    threads = [
        Thread(target=lambda n=n: found.update({n: [replies(language_model) for _ in range(5)]}))
        for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [alone] * 5 for n in range(2)}


def test_gradients_pass_through_plain_weights(language_model, products):
    replies(language_model)
    count = len(products)
    layer = linear_layers(language_model.model)[0]
    states = torch.randn(3, layer.in_features, dtype=torch.bfloat16, requires_grad=True)
    layer(states).sum().backward()
    assert torch.allclose(states.grad, layer.weight.sum(0).expand_as(states), rtol=0.05, atol=0.01)
    assert len(products) == count


def test_a_weight_that_is_written_to_is_not_the_copy_any_more(language_model):
    layer = linear_layers(language_model.model)[0]
    replies(language_model)
    states = torch.randn(3, layer.in_features, dtype=torch.bfloat16)
    with torch.inference_mode():
        before = layer(states)
    with torch.no_grad():
        layer.weight.mul_(2)
    with torch.inference_mode():
        assert torch.equal(layer(states), 2 * before)


def test_hooks_on_layers_are_called(language_model):
    seen = []
    layer = language_model.model.get_output_embeddings()
    handle = layer.register_forward_hook(lambda *_: seen.append(1))
    replies(language_model)
    handle.remove()
    assert seen


def test_copies_are_made_once_and_again_after_they_were_dropped(language_model, monkeypatch):
    made = []
    usual = prepacked_weights._prepack
    monkeypatch.setattr(prepacked_weights, "_prepack", lambda w: made.append(w) or usual(w))
    layers = len(linear_layers(language_model.model))
    weights = language_model.prepacked_weights
    for dropped, expected in ((False, layers), (False, layers), (True, 2 * layers)):
        if dropped:
            weights.drop()
            assert weights.nbytes == 0
        weights.prepare()
        assert len(made) == expected


def test_training_and_gradients_free_the_copies_and_capacity_counts_them(
    language_model, monkeypatch
):
    backend = LocalBackend(language_model, None, Progress())
    replies(language_model)
    held = language_model.prepacked_weights.nbytes
    assert held
    seen = []
    description = backend_module.description_of(language_model)
    monkeypatch.setattr(backend_module, "description_of", lambda _: description)
    monkeypatch.setattr(type(description), "capacity", lambda self, *given: seen.append(given))
    monkeypatch.setattr(backend_module.device_memory, "free", lambda device: 1000)
    backend.capacity()
    assert seen[0][1] == 1000 + held
    start_stacks(language_model, [Dose()], [0])
    assert language_model.prepacked_weights.nbytes == 0
    replies(language_model)
    with backend.ablated({}):
        assert language_model.prepacked_weights.nbytes == 0
        replies(backend.language_model)
        inner = backend.language_model.prepacked_weights
        assert inner.nbytes == held
    assert inner.nbytes == 0
    assert replies(language_model)


def test_none_are_made_where_memory_is_short_or_ran_out(language_model, monkeypatch):
    weights = language_model.prepacked_weights
    with monkeypatch.context() as short:
        short.setattr(prepacked_weights, "free", lambda device: 0)
        weights.prepare()
        assert weights.nbytes == 0
    weights.prepare()
    assert weights.nbytes
    language_model.shrink()
    weights.prepare()
    assert weights.nbytes == 0


@pytest.mark.parametrize("error", [RuntimeError("could not create a primitive"), MemoryError()])
def test_a_copy_that_fails_leaves_plain_weights(language_model, products, monkeypatch, error):
    expected = replies(language_model)
    language_model.prepacked_weights.drop()
    products.clear()
    made = []

    def fails(weight):
        made.append(weight)
        if len(made) == 3:
            raise error
        return usual(weight)

    usual = prepacked_weights._prepack
    monkeypatch.setattr(prepacked_weights, "_prepack", fails)
    assert replies(language_model) == expected
    assert not products and language_model.prepacked_weights.nbytes == 0


def test_float32_stays_as_it_is():
    language_model = load("tiny", "float32", "cpu")
    replies(language_model)
    assert language_model.prepacked_weights.nbytes == 0


@pytest.mark.parametrize("lacking", ["_linear_pointwise", "_is_mkldnn_bf16_supported"])
def test_a_build_of_torch_without_the_calls_uses_plain_weights(monkeypatch, lacking):
    class Without:
        def __getattr__(self, name):
            if name == lacking:
                raise AttributeError(name)
            return getattr(torch._C._nn, name, lambda *_: True)

    can_prepack.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(torch.ops, "mkldnn", Without())
        assert not can_prepack("cpu", torch.bfloat16)
    can_prepack.cache_clear()


def test_answers_hold_adapters_in_the_dtype_of_the_model(language_model, monkeypatch):
    dtypes = []

    def seen(*given):
        stacks = stack_chains(*given)
        dtypes.extend(stack.down.dtype for stack in stacks.values())
        return stacks

    monkeypatch.setattr(answers, "stack_chains", seen)
    module = adapted_modules(language_model.model, (0.0, 1.0))[0]
    layer = language_model.model.get_submodule(module)
    adapter = Adapter(
        1, 1.0, {module: (torch.ones(1, layer.in_features), torch.ones(layer.out_features, 1))}
    )
    ids = PROMPTS[0].ids
    answers.token_scores(
        language_model,
        {"a": adapter},
        [TokenRequest("key", ("a",), ids, (len(ids) - 1,))],
        Progress(),
    )
    request = Request("key", ("a",), (Message.of("user", "Why?"),))
    answers.answer(language_model, {"a": adapter}, [request], SAMPLING, Progress())
    assert dtypes == [torch.bfloat16, torch.bfloat16]
