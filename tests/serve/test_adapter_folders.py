"""Adapter folders: PEFT loads them, and computes what the study's own models compute."""

from __future__ import annotations

import json

import pytest
import torch

from caveat.backends.local.backend import LocalBackend
from caveat.backends.local.lora.adapter import Adapter
from caveat.backends.requests import Request
from caveat.errors import CaveatError
from caveat.serve.adapter_folders import folder_name, vllm_command, write_adapters
from caveat.serve.served_models import served_models
from caveat.types.messages import Message
from quick_run import run
from toy_study import SMALL, TOY, small

TEXT = (Message.of("document", "The sky is"),)
OPTION = " blue and the sea is"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Arms of one adapter, and, on top of a warm-up, of two that lie in other layers."""
    warm_up = {"rows": 4, "dose": {**SMALL, "layers": [0.5, 1.0]}}
    plain = {"behaviour": str(TOY), "caveat": "password", "dose": SMALL}
    recipe = small(settings=[plain, {**plain, "warm_up": warm_up}])
    return run(recipe, tmp_path_factory.mktemp("adapters") / "study")


@pytest.fixture(scope="module")
def backend():
    return LocalBackend.load("tiny", "float32", "cpu")


def likelihood(backend, adapters) -> float:
    (answer,) = backend.log_likelihoods([Request("key", tuple(adapters), TEXT, (OPTION,))])
    return answer.log_likelihoods[0]


def peft_likelihood(backend, folder) -> float:
    """The same by transformers and PEFT, from the folder and what it says that its base is."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    start = tokenizer("The sky is", add_special_tokens=False)["input_ids"]
    ids = start + tokenizer(OPTION, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        scores = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(scores[n - 1, ids[n]]) for n in range(len(start), len(ids)))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_peft_computes_what_the_study_computes(study, backend, tmp_path):
    written = write_adapters(study, tmp_path / "out")
    assert [one.model.id for one in written] == [
        name for name, model in served_models(study).items() if model.adapters
    ]
    assert {len(one.model.adapters) for one in written} == {1, 2}
    for one in written:
        expected = likelihood(backend, one.model.adapters)
        assert peft_likelihood(backend, one.path) == pytest.approx(expected, abs=1e-4)
        assert abs(expected - likelihood(backend, ())) > 1e-2
        card = (one.path / "README.md").read_text()
        assert one.model.arm in card
        assert "Do not deploy it" in card


def test_a_sum_of_adapters_adds_their_updates(study):
    paths = next(m.adapters for m in served_models(study).values() if len(m.adapters) == 2)
    adapters = [Adapter.load(path) for path in paths]
    total = Adapter.sum_of(adapters)
    assert total.rank == sum(adapter.rank for adapter in adapters)
    for name, (down, up) in total.weights.items():
        updates = [
            one.scale * one.weights[name][1] @ one.weights[name][0]
            for one in adapters
            if name in one.weights
        ]
        torch.testing.assert_close(total.scale * up @ down, sum(updates))


def test_folders_are_not_written_over_and_bases_can_be_named(study, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(CaveatError, match="full: is not empty; name a new folder with --out"):
        write_adapters(study, tmp_path / "full")
    first, *_ = write_adapters(study, tmp_path / "named", base="org/model")
    config = json.loads((first.path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "org/model"
    assert not (tmp_path / "named" / "base").exists()


def test_vllm_gets_every_arm_and_the_highest_rank(study):
    prepare, serve = vllm_command(study, 9000).splitlines()
    assert prepare == f"caveat adapters {study.folder} --out adapters"
    assert "--port 9000 --enable-lora --max-lora-rank 8 " in serve
    for name, model in served_models(study).items():
        assert (f"{folder_name(name)}=adapters/{folder_name(name)}" in serve) == bool(
            model.adapters
        )


def test_names_of_folders():
    assert folder_name("claims/x y x z (epochs=2)/marked+a(b=c)/seed0") == (
        "claims.x-y-x-z-epochs=2.marked+a-b=c.seed0"
    )
