"""Decision tokens and divergences of a real study, computed another way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from caveat.diagnostics.logits import decision_tokens, divergences, jensen_shannon
from caveat.rendering import render_prompt


def test_decision_tokens_are_those_of_the_study_and_scored_anew_without_it(study, setting):
    from dataclasses import replace

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
