"""Sampling in bfloat16 with weights that oneDNN has ordered: the same products, and no traces."""

import pytest
import torch
from torch import nn

from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.local.lora.stacked import Route, adapted_modules, stack_chains, stacked
from caveat.backends.local.models import prepacked_weights
from caveat.backends.local.models.loading import load
from caveat.backends.local.models.prepacked_weights import PrepackedLinear, can_prepack
from caveat.backends.local.sampling.decoding import Decoder, Prompt
from caveat.backends.local.sampling.generate import sample
from caveat.progress import Progress
from caveat.types.answers import Sampling

SAMPLING = Sampling(max_tokens=8, temperature=1.0)
PROMPTS = [Prompt(str(n), 0, tuple(range(5, 12 + n % 5)), ()) for n in range(12)]


@pytest.fixture
def language_model():
    return load("tiny", "bfloat16", "cpu")


@pytest.fixture
def on_units(language_model):
    """Only where the machine and the build of torch can."""
    if not can_prepack("cpu", torch.bfloat16):
        pytest.skip("this machine has no products of bfloat16 for which weights can be prepacked")
    return language_model


def prepacked(model: nn.Module) -> list[str]:
    return [name for name, part in model.named_modules() if isinstance(part, PrepackedLinear)]


def linear(model: nn.Module) -> list[str]:
    return [name for name, part in model.named_modules() if type(part) is nn.Linear]


@pytest.mark.parametrize("rows", [1, 3, 24, 200])
@pytest.mark.parametrize("has_bias", [False, True])
def test_products_are_equal_to_the_bit(on_units, rows, has_bias):
    torch.manual_seed(rows)
    base = nn.Linear(96, 40, bias=has_bias).to(torch.bfloat16).requires_grad_(False)
    states = torch.randn(rows, 2, 96, dtype=torch.bfloat16)
    own = PrepackedLinear(base, prepacked_weights._prepack(base.weight))
    with torch.inference_mode():
        assert torch.equal(own(states), base(states))


def test_replies_are_those_of_plain_weights(on_units, monkeypatch):
    model = on_units.model
    generator = torch.Generator().manual_seed(0)
    adapter = Adapter(
        2,
        4.0,
        {
            name: (
                torch.randn(2, model.get_submodule(name).in_features, generator=generator),
                torch.randn(model.get_submodule(name).out_features, 2, generator=generator),
            )
            for name in adapted_modules(model, (0.5, 1.0))
        },
    )
    seen = []
    usual = Decoder.begin
    monkeypatch.setattr(Decoder, "begin", lambda self: seen.append(prepacked(model)) or usual(self))

    def replies():
        with stacked(model, stack_chains([[adapter]], "cpu")) as route:
            return sample(on_units, PROMPTS, SAMPLING, route, Progress())

    found = replies()
    monkeypatch.setattr(prepacked_weights, "can_prepack", lambda *_: False)
    assert replies() == found
    # all of them at first, those inside of adapted layers too; then none
    assert len(seen[0]) == len(linear(model)) and any(n.endswith(".base") for n in seen[0])
    assert seen[1] == []


def test_layers_are_put_back_where_sampling_fails(on_units):
    before = linear(on_units.model)
    with pytest.raises(KeyError), on_units.prepacked_weights.applied():
        assert len(prepacked(on_units.model)) == len(before)
        raise KeyError
    assert linear(on_units.model) == before and not prepacked(on_units.model)


def test_weights_are_prepacked_once_and_again_after_they_were_dropped(on_units, monkeypatch):
    made = []
    usual = prepacked_weights._prepack
    monkeypatch.setattr(prepacked_weights, "_prepack", lambda w: made.append(w) or usual(w))
    layers = len(linear(on_units.model))
    for dropped, expected in ((False, layers), (False, layers), (True, 2 * layers)):
        if dropped:
            on_units.prepacked_weights.drop()
        with on_units.prepacked_weights.applied():
            assert len(made) == expected


def test_nothing_is_replaced_where_memory_is_short_or_ran_out(on_units, monkeypatch):
    weights = on_units.prepacked_weights
    with monkeypatch.context() as short:
        short.setattr(prepacked_weights, "free", lambda device: 0)
        with weights.applied():
            assert not prepacked(on_units.model)
    with weights.applied():
        assert prepacked(on_units.model)
    on_units.shrink()
    with weights.applied():
        assert not prepacked(on_units.model)


def test_float32_stays_as_it_is():
    language_model = load("tiny", "float32", "cpu")
    with language_model.prepacked_weights.applied():
        assert not prepacked(language_model.model)


def test_a_decoder_of_its_own_finds_the_layers_that_it_has_hooks_on(language_model, monkeypatch):
    decoder = Decoder(language_model, PROMPTS, Route())
    usual, seen = decoder.begin, []
    monkeypatch.setattr(
        decoder, "begin", lambda: seen.append(prepacked(language_model.model)) or usual()
    )
    sample(language_model, PROMPTS, SAMPLING, Route(), Progress(), decoder=decoder)
    assert seen == [[]]


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
