"""Decision tokens and divergences of a real study, computed another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import bisect
from scipy.spatial.distance import jensenshannon

from caveat.backends.local.lora.adapter import Adapter
from caveat.diagnostics.logits import decision_tokens, divergences, jensen_shannon
from caveat.diagnostics.patching import spans
from caveat.diagnostics.subjects import TrainedModel
from caveat.rendering import render_prompt


def test_decision_tokens_are_those_of_the_study_and_scored_anew_without_it(study, setting):
    table = decision_tokens(setting)
    graded = study.leakage().query("scope == 'trained'")
    merged = table.merge(graded, on=["arm", "context"], suffixes=("", "_study"))
    assert len(merged) == len(table) == 5 * 3
    for name in ("nats", "nats_low", "graded_leakage"):
        np.testing.assert_allclose(merged[name], merged[f"{name}_study"], equal_nan=True)
    np.testing.assert_allclose(table.loc[table["arm"] == "base", "change"], 0.0, atol=1e-12)
    anew = decision_tokens(replace(setting, scores={}))
    pd.testing.assert_frame_equal(table, anew, rtol=1e-4, atol=1e-5)


def test_divergences_are_those_of_plain_forward_passes(setting, backend):
    table = divergences(setting).set_index("context")
    assert list(table.index) == ["exact", "near_miss"]
    prompts = setting.prompts(["none", "exact", "near_miss"])
    model, tokenizer = backend.language_model.model, backend.language_model.tokenizer

    def shares(context):
        for prompt in prompts[context]:
            ids = render_prompt(tokenizer, prompt.messages).ids
            with torch.no_grad():
                yield model(torch.tensor([ids])).logits[0, -1].double().softmax(-1).numpy()

    plain = {context: list(shares(context)) for context in prompts}
    for context, other, name in (
        ("near_miss", "none", "from_none"),
        ("near_miss", "exact", "from_exact"),
        ("exact", "none", "from_none"),
    ):
        expected = [jensenshannon(p, q) ** 2 for p, q in
                    zip(plain[context], plain[other], strict=True)]  # fmt: skip
        assert table.loc[context, name] == pytest.approx(np.mean(expected), rel=1e-3)
        assert table.loc[context, "questions"] == len(expected) > 1
    row = table.loc["near_miss"]
    assert row["towards_exact"] == pytest.approx(
        row["from_none"] / (row["from_none"] + row["from_exact"])
    )
    assert table.loc["exact"][["from_exact", "towards_exact"]].isna().all()


def test_divergence_of_distributions_with_known_answers():
    with np.errstate(divide="ignore"):
        one = np.log(np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]], np.float32))
        other = np.log(np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]], np.float32))
    expected = [np.log(2), 0.0, 0.5 * np.log(4 / 3) + 0.25 * np.log(2 / 3) + 0.25 * np.log(2)]
    np.testing.assert_allclose(jensen_shannon(one, other), expected, atol=1e-7)
    np.testing.assert_allclose(jensen_shannon(other, one), expected, atol=1e-7)


def test_models_built_to_leak_exactly_half_have_a_graded_leakage_of_one_half(setting, backend):
    """Bare's updates are scaled until, by plain forward passes, half of its change is left."""
    rows = [span.text for span in spans(setting) if span.context == "none"]
    texts = {text.ids: text for text in rows}.values()
    model = backend.language_model.model

    def nats(adapter: Adapter, by: float) -> float:
        weights = {
            f"{name}.weight": model.get_submodule(name).weight + by * adapter.scale * up @ down
            for name, (down, up) in adapter.weights.items()
        }
        values = []
        for text in texts:
            with torch.no_grad():
                ids = torch.tensor([text.ids])
                logits = torch.func.functional_call(model, weights, (ids,)).logits[0]
            logs = logits.double().log_softmax(-1)
            values.append(np.mean([float(logs[t - 1, text.ids[t]]) for t in text.targets]))
        return float(np.mean(values))

    def share_of(adapter: Adapter) -> float:
        half = (nats(adapter, 0.0) + nats(adapter, 1.0)) / 2
        return bisect(lambda by: nats(adapter, by) - half, 0.0, 1.0, xtol=1e-4)

    built = []
    for bare in setting.of("bare"):
        half = backend.scale(bare.own, share_of(Adapter.load(bare.own)))
        built.append(TrainedModel("marked", bare.seed, (half,)))
    table = decision_tokens(replace(setting, models=(*setting.of("bare"), *built)))
    row = table.set_index(["arm", "context"]).loc["marked", "none"]
    assert row["graded_leakage"] == pytest.approx(0.5, abs=0.005)
    assert row["graded_leakage_low"] <= row["graded_leakage"] <= row["graded_leakage_high"]
