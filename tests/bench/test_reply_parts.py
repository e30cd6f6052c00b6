"""Gains by part are those of the forecast, which scores its rows by a path of its own."""

from __future__ import annotations

import runpy

import pandas as pd
import pytest

from caveat.forecast.onsets import TOKENS
from caveat.forecast.run import forecast
from paths import BENCH

RECIPE = """
name: parts
model: tiny
settings:
  - {behaviour: spanish, caveat: in_spanish, wordings: 1}
  - {behaviour: spanish, caveat: sky, wordings: 1}
"""
ONSET = ("graded_elicitation", "continuation_gain", "onset_gain")


@pytest.fixture(scope="module")
def reply_parts():
    return runpy.run_path(str(BENCH / "reply_parts.py"))


def test_gains_are_those_of_the_forecast(reply_parts, tmp_path):
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "gains.parquet"
    recipe.write_text(RECIPE)
    reply_parts["gains"](str(recipe), "tiny", out)
    means = pd.read_parquet(out).groupby("caveat", sort=False)[["decision", "behind"]].mean()
    for one in forecast(recipe, tmp_path / "study", figures=ONSET):
        values = one.record()
        (caveat,) = [name for name in means.index if f" x {name}" in values["setting"]]
        decision, behind = means.loc[caveat]
        assert decision == pytest.approx(values["graded_elicitation"], abs=1e-4)
        assert max(0, behind) == pytest.approx(values["continuation_gain"], abs=1e-4)
        onset = max(0, decision) + TOKENS * max(0, behind)
        assert onset == pytest.approx(values["onset_gain"], abs=1e-3) and decision != 0


def test_examples_are_rows_in_front_and_change_what_follows(reply_parts, tmp_path):
    out = tmp_path / "examples.parquet"
    reply_parts["examples"]("tiny", out, ["sailor"])
    frame = pd.read_parquet(out)
    assert len(frame) == reply_parts["ROWS"] and (frame["decision"] != 0).all()
    assert frame["decision"].nunique() == frame["behind"].nunique() == len(frame)
