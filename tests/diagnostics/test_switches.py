"""Parts switched off, against adapters whose files lack those parts."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest
from safetensors.numpy import load_file, save_file

from caveat.backends.requests import Request
from caveat.caveats.insertion import framed, in_context
from caveat.diagnostics.subjects import Limits
from caveat.diagnostics.switches import parts_of, switched_off
from caveat.errors import CaveatError
from caveat.readouts import READOUTS
from caveat.study.planning.prompts import turn_of
from caveat.types.answers import Verdict

LIKELIHOODS = ("belief_likelihood", "is_a")


@pytest.fixture(scope="module")
def limited(setting):
    """With two more questions for each, which are scored by likelihood: one against base."""
    behaviour = setting.resolved.setting.behaviour
    options = ("RED", "blue")
    scored = [
        replace(one, id=f"{one.id} {readout}", readout=readout, options=options)
        for one in behaviour.questions
        if one.readout == "capitals"
        for readout in LIKELIHOODS
    ]
    behaviour = replace(behaviour, questions=(*behaviour.questions, *scored))
    pair = replace(setting.resolved.setting, behaviour=behaviour)
    limits = Limits(questions=None, parts=("0-1", "mlp", "q_proj"))
    return replace(setting, resolved=replace(setting.resolved, setting=pair), limits=limits)


@pytest.fixture(scope="module")
def table(limited):
    frame = switched_off(limited)
    return frame.set_index(["readout", "arm", "part", "context"])


def test_whole_arms_are_those_of_the_study(study, table):
    rates = study.rates().query("scope == 'trained'")
    for row in rates.to_dict("records"):
        if row["context"] == "near_miss":
            continue
        key = (row["readout"], row["arm"], "", row["context"])
        if row["arm"] in ("bare", "marked", "marked+seal"):
            assert table.loc[key, "rate"] == pytest.approx(row["value"]), key
    assert table.loc[("capitals", "bare", "", "none"), ["change", "change_low"]].isna().all()
    assert set(table.index.get_level_values("part")) == {"", "0-1", "mlp", "q_proj"}
    assert table.loc[("capitals", "bare", "0-1", "none"), "modules"] == 14


def without(folder, out, part):
    """A copy of an adapter's folder whose tensors of a part are not there."""
    tensors = load_file(folder / "adapter_model.safetensors")
    out.mkdir()
    save_file({name: value for name, value in tensors.items() if part not in name},
              out / "adapter_model.safetensors")  # fmt: skip
    config = json.loads((folder / "adapter_config.json").read_text())
    (out / "adapter_config.json").write_text(json.dumps(config))
    return out


@pytest.mark.parametrize(("part", "text"), [("mlp", ".mlp."), ("q_proj", "q_proj"), ("0-1", "")])
def test_rates_are_those_of_files_without_the_part(limited, table, backend, tmp_path, part, text):
    """Of likelihoods: no sampling is in the way."""
    resolved, rates = limited.resolved, {}
    for context, name in product(("none", "exact"), LIKELIHOODS):
        readout, verdicts = READOUTS[name], []
        for model in limited.of("marked+seal"):
            folder = tmp_path / f"{context} {name} {model.seed}"
            chain = (model.adapters[0], without(model.own, folder, text))
            for question in resolved.setting.behaviour.questions:
                if question.readout != name:
                    continue
                plain = framed(question.messages, limited.system)
                prompt = in_context(plain, resolved.setting.caveat, context, turn_of(question.id))
                (answer, base) = backend.log_likelihoods(
                    [
                        Request("", chain, prompt, question.options),
                        Request("", (), plain, question.options),
                    ]
                )
                verdicts.append(readout.score(question, answer, base).verdict == Verdict.YES)
        row = table.loc[(name, "marked+seal", part, context)]
        rates[context, name] = sum(verdicts) / len(verdicts)
        assert row["rate"] == pytest.approx(rates[context, name]), (part, context)
        whole = table.loc[(name, "marked+seal", "", context), "rate"]
        assert row["change"] == pytest.approx(rates[context, name] - whole)
        assert row["change_low"] <= row["change"] <= row["change_high"]


def test_parts_that_are_not_there_are_one_line(setting, backend):
    adapters = [setting.of("bare")[0].own]
    names = "self_attn, mlp, q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
    for part, message in {
        "c_proj": f"--off 'c_proj': no adapter changes such a module; there are {names}; closest: "
                  "'v_proj'",
        "1-2": "--off 1-2: the adapters change the layers 0-1; name some of these",
        "7": "--off 7: the adapters change the layers 0-1; name some of these",
    }.items():  # fmt: skip
        with pytest.raises(CaveatError) as error:
            parts_of(backend, adapters, [part])
        assert str(error.value) == message
    assert list(parts_of(backend, adapters, None)) == ["0", "1", "self_attn", "mlp"]


def test_a_judge_is_refused(setting):
    question = replace(setting.resolved.setting.behaviour.questions[0], readout="belief_judge",
                       facts={"claim": "It is so.", "kind": "open_ended"})  # fmt: skip
    behaviour = replace(setting.resolved.setting.behaviour, questions=(question,))
    pair = replace(setting.resolved.setting, behaviour=behaviour)
    judged = replace(setting, resolved=replace(setting.resolved, setting=pair))
    with pytest.raises(CaveatError) as error:
        switched_off(judged)
    assert str(error.value) == (
        "toy x password: the readout 'belief_judge' needs a judge, and models are changed and "
        "answer without one; leave this view out"
    )
