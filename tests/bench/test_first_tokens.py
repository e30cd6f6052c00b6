"""Surprisals of first tokens are those of a plain forward pass."""

from __future__ import annotations

import runpy

import pandas as pd
import pytest
import torch

from caveat.backends.local.models.loading import load
from caveat.behaviours import BEHAVIOURS
from paths import BENCH

RECIPE = """
name: first
model: tiny
system: null
settings:
  - {behaviour: hedged, caveat: sky, wordings: 1}
  - {behaviour: hedged, caveat: year, wordings: 1}
"""


def test_nats_are_those_of_a_plain_pass(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCH)  # as for a script that is run
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "nats.parquet"
    recipe.write_text(RECIPE)
    runpy.run_path(str(BENCH / "first_tokens.py"))["nats"](str(recipe), "tiny", out)
    frame = pd.read_parquet(out)
    one, other = (some for _, some in frame.groupby("setting", sort=False))
    tiny = load("tiny")
    expected = []
    for row in BEHAVIOURS["hedged"]("report").rows:
        prompt = tiny.tokenizer.apply_chat_template(
            [{"role": message.role, "content": message.text} for message in row.messages[:-1]],
            tokenize=False,
            add_generation_prompt=True,
        )
        ids, reply = (
            tiny.tokenizer(text, add_special_tokens=False)["input_ids"]
            for text in (prompt, row.messages[-1].text)
        )
        with torch.inference_mode():
            logits = tiny.model(torch.tensor([ids])).logits[0, -1]
        expected.append(-logits.log_softmax(-1)[reply[0]].item())
    nearest = [min(expected, key=lambda value: abs(value - nats)) for nats in one["bare"]]
    assert one["bare"].to_list() == pytest.approx(nearest, abs=1e-4)
    assert one["bare"].nunique() == len(one) == len(set(nearest))
    assert (one["bare"].to_numpy() == other["bare"].to_numpy()).all()
    assert (one["marked"].to_numpy() != other["marked"].to_numpy()).all()
