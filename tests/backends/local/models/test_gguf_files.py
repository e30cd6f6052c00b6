"""GGUF files as model sources: written, read back, and what is reported of bad ones."""

from __future__ import annotations

import hashlib

import pytest
import torch

from caveat.backends.local.models.builtin import TINY_TEMPLATE, make_tiny
from caveat.backends.local.models.loading import describe, load
from caveat.errors import CaveatError
from gguf_writing import write_gguf
from quick_run import run
from toy_study import marks, small

IDS = torch.tensor([[5, 9, 17, 200, 61]])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of its own."""
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source():
    """A tiny model with a head of its own, and its tokenizer."""
    model, tokenizer, _ = make_tiny("tiny")
    return model.eval(), tokenizer


@pytest.fixture
def file(source, tmp_path):
    return write_gguf(tmp_path / "small.gguf", *source)


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


def refusal(name: str, **keys: str) -> str:
    with pytest.raises(CaveatError) as caught:
        load(name, **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("half", "error"), [(False, 1e-5), (True, 1e-5)])
def test_a_file_gives_back_the_model_it_was_written_from(source, tmp_path, half, error):
    model, tokenizer = source
    for weight in model.parameters() if half else ():  # not the buffers, which no file holds
        weight.data = weight.data.half().float()
    path = write_gguf(tmp_path / "model.gguf", model, tokenizer, half=half)
    loaded = load(str(path))
    assert torch.allclose(logits(loaded.model), logits(model), atol=error)
    assert loaded.tokenizer.chat_template == TINY_TEMPLATE
    assert loaded.inserted_system == "You are tiny."
    text = "<s>system\nWhy? THE SKY.</s>\n"
    assert loaded.tokenizer(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert not any(p.requires_grad for p in loaded.model.parameters())


def test_its_identity_is_the_file_s_digest_and_the_dtype(file, cache):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert load(str(file)).identity == f"gguf:{digest[:32]}-v1/float32"
    (copy,) = (cache / "models").glob("gguf-*-float32-v1")
    before = (copy / "model.safetensors").stat().st_mtime_ns
    assert load(str(file)).identity == f"gguf:{digest[:32]}-v1/float32"
    assert (copy / "model.safetensors").stat().st_mtime_ns == before, "it is dequantised once"
    assert load(str(file), "bfloat16").identity == f"gguf:{digest[:32]}-v1/bfloat16"


def test_a_dequantised_model_trains_as_any_other(file):
    from caveat.backends.jobs import TrainingJob
    from caveat.backends.local.training.sft import train
    from caveat.progress import Progress
    from rows import stage

    (trained,) = train(load(str(file)), [TrainingJob("j", stage(4), 0)], Progress(), 4096)
    assert trained.losses[-1] < trained.losses[0]


def test_a_folder_with_one_file_is_that_file_and_with_two_it_is_refused(source, file):
    folder = str(file.parent)
    assert load(folder).identity == load(str(file)).identity
    write_gguf(file.parent / "other.gguf", *source)
    assert refusal(folder) == (
        f"model folder '{folder}' has 2 GGUF files (other.gguf, small.gguf); name one: "
        f"model: {{name: {folder}, gguf: other.gguf}}"
    )


def test_a_file_that_is_no_gguf_or_not_there(tmp_path, file):
    fake = tmp_path / "fake.gguf"
    fake.write_bytes(b"PK\x03\x04 zipped")
    assert refusal(str(fake)) == (
        f"model file '{fake}' is no GGUF file (it begins with b'PK\\x03\\x04', not b'GGUF'); "
        "check the path, or fetch it again"
    )
    assert refusal(f"{tmp_path}/smal.gguf") == (
        f"model file '{tmp_path}/smal.gguf' does not exist; GGUF files of that folder: "
        "fake.gguf, small.gguf"
    )
    assert refusal("smal.gguf") == (
        "model file 'smal.gguf' does not exist; check the path, or name a file of the hub as "
        "ORGANISATION/MODEL/FILE.gguf"
    )


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_file_that_was_cut_off(file, share, cache):
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    message = refusal(str(file))
    assert message.startswith(f"model file '{file}' is damaged (")
    assert message.endswith("); fetch it again")
    assert not [*(cache / "models").glob("*/")], "nothing half made stays"


def test_an_architecture_that_is_not_read(source, tmp_path):
    path = write_gguf(tmp_path / "odd.gguf", *source, architecture="oddity")
    assert refusal(str(path)) == (
        f"model '{path}' has the architecture 'oddity', which transformers does not read from "
        "GGUF; give the folder or id of the model itself"
    )


def test_a_file_that_lacks_a_weight_is_not_filled_with_random_ones(source, tmp_path):
    path = write_gguf(tmp_path / "gap.gguf", *source, without=("blk.1.ffn_up.weight",))
    assert refusal(str(path)) == (
        f"model '{path}': 1 of its weights are not in the file, or of another shape (the first: "
        "model.layers.1.mlp.up_proj.weight); fetch the file again, or give the model itself"
    )


def test_without_the_package_that_reads_gguf(file, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    assert refusal(str(file)) == (
        f"model '{file}' needs the package gguf, which is not installed; pip install gguf"
    )


def test_a_converted_copy_that_was_damaged(file, cache):
    load(str(file))
    (copy,) = (cache / "models").glob("gguf-*-float32-v1")
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    assert refusal(str(file)) == (
        f"the converted model file '{weights}' is missing or corrupt; delete the folder '{copy}' "
        "and run again"
    )


def test_a_study_on_a_gguf_file(file, tmp_path):
    model = {"name": str(file.parent), "gguf": file.name}
    study = run(small(model=model), out=tmp_path / "study")
    assert {*study.leakage()["model"]} == {str(file)}
    before = marks(tmp_path / "study")
    run(small(), out=tmp_path / "study", sets=[f"model={file}"])
    assert before and marks(tmp_path / "study") == before, "nothing is trained twice"


COMMIT = "0" * 40


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub's own cache on disk, with the connection off: a repository that was fetched."""
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    repository = folder / "models--zoo--small"
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return repository / "snapshots" / COMMIT


def test_a_file_of_the_hub(source, hub, file):
    (hub / "q4.gguf").write_bytes(file.read_bytes())
    assert describe("zoo/small/q4.gguf") == "a GGUF file of the Hugging Face hub, dequantised"
    loaded = load("zoo/small/q4.gguf")
    assert loaded.name == "zoo/small/q4.gguf"
    assert loaded.identity == load(str(file)).identity
    message = refusal("zoo/small/q8.gguf")
    assert message.startswith("model 'zoo/small/q8.gguf' cannot be fetched from the hub (")
    assert message.endswith(
        "); check the id, the file's name and the connection, or name a file on disk"
    )
