"""Parts that change places between marked and bare, against files with the other's tensors."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from safetensors.numpy import load_file, save_file

from caveat.backends.requests import Request
from caveat.diagnostics.cost import COSTS
from caveat.diagnostics.rates import Task, answer_seed
from caveat.diagnostics.scales import scaled
from caveat.diagnostics.subjects import Limits
from caveat.diagnostics.swaps import pairs_of, swapped
from caveat.errors import CaveatError
from caveat.study.execution.meter import REPLY_SHARE


def test_all_of_the_other_arm_is_the_other_arm(setting):
    limits = Limits(questions=None, parts=("0+1", "mlp", "mlp+self_attn"))
    sampling = replace(setting.resolved.sampling, temperature=0.0)  # arms have other random numbers
    resolved = replace(setting.resolved, sampling=sampling)
    setting = replace(setting, resolved=resolved, limits=limits)
    table = swapped(setting)
    replies = 2 * 3 * len(limits.parts) * 2 * len(setting.prompts(["none"])["none"])
    most = replies * resolved.sampling.max_tokens * resolved.sampling.samples * REPLY_SHARE
    assert COSTS["swaps"](setting)["reply"] == pytest.approx(most)
    rates = table.set_index(["readout", "scope", "arm", "part", "context"])["rate"]
    for part in ("0+1", "mlp+self_attn"):  # layers, and modules, that are all there is
        for receiver, donor in (("bare", "marked"), ("marked", "bare")):
            for (readout, scope), _ in table.groupby(["readout", "scope"]):
                for context in ("none", "exact"):
                    assert (
                        rates[readout, scope, receiver, f"{part} of {donor}", context]
                        == rates[readout, scope, donor, "", context]
                    )
    assert set(table.query("arm == 'bare'")["part"]) == {
        "",
        *(f"{p} of marked" for p in limits.parts),
    }
    assert table.query("part == '0+1 of bare'")["modules"].tolist() == [14, 14]
    assert {one.arm for one, _ in pairs_of(setting)} == {"bare", "marked"}, (
        "the seal is another base"
    )


def test_a_part_is_that_of_the_other_file(setting, backend, tmp_path):
    marked, bare = (setting.of(arm)[0] for arm in ("marked", "bare"))
    tensors, others = (load_file(one.own / "adapter_model.safetensors") for one in (marked, bare))
    mixed = {name: others[name] if ".mlp." in name else own for name, own in tensors.items()}
    save_file(mixed, tmp_path / "adapter_model.safetensors")
    config = json.loads((marked.own / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    modules = [one.module for one in backend.updates([marked.own]) if ".mlp." in one.module]
    swap = backend.with_modules_of(marked.own, bare.own, modules)
    doubled = backend.with_modules_of(marked.own, backend.scale(bare.own, 2.0), modules)
    prompt = setting.prompts(["none"])["none"][0].messages
    refs = (swap, tmp_path, doubled)
    own, file, other = backend.next_token_log_probabilities(
        [Request("", (ref,), prompt) for ref in refs]
    )
    assert own == pytest.approx(file, abs=1e-5) and own != pytest.approx(other, abs=1e-5)


def test_sizes_are_those_of_the_whole_update(setting, backend):
    limits = Limits(arms=("marked",), questions=None)
    table = scaled(replace(setting, limits=limits, models=tuple(setting.of("bare"))))
    rows = table[(table["readout"] == "capitals") & (table["context"] == "none")]
    assert rows["part"].tolist() == ["", "times 0.5", "times 1.5", "times 2"]
    assert rows["change"].isna().tolist() == [True, False, False, False]
    prompts = setting.prompts(["none"])["none"]
    (question,) = [one for one in prompts if one.question.readout == "capitals"][:1]
    model = setting.of("bare")[0]
    double = (backend.scale(model.own, 2.0),)
    seed = answer_seed(setting, Task(model, "", model.adapters, "none", question, 0))
    (reply,) = backend.generate(
        [Request(seed, double, question.messages)], setting.resolved.sampling
    )
    assert rows["example"].iloc[-1] == reply.text


def test_what_does_not_fit_is_one_line(setting):
    sealed = replace(
        setting, models=tuple(one for one in setting.models if one.arm in ("bare", "marked+seal"))
    )
    with pytest.raises(CaveatError) as error:
        swapped(sealed)
    assert str(error.value) == (
        "toy x password: no arm with the caveat is trained on top of the same adapters as bare, so "
        "no part fits; leave the view swaps out"
    )
