"""The figures of docs/results/law.md show every setting that their pages speak of."""

from __future__ import annotations

import pytest

from paths import DOCS

DATA = DOCS / "data"


@pytest.fixture(scope="module")
def bench(script):
    return script("law_figures")


def test_the_curve_stands_beside_every_setting_that_it_was_not_fitted_to(bench):
    line, points = bench.first_tokens(DATA).layer
    assert len(points.data) == 108
    assert {*points.data["model"]} == {*bench.MODELS}
    assert line.data["leakage"].is_monotonic_decreasing
    assert line.data["leakage"].iloc[0] > 0.9 and line.data["leakage"].iloc[-1] < 0.1
    assert points.data["leakage"].corr(points.data["nats"], method="spearman") < -0.7


def test_every_wording_has_a_point_on_each_model(bench):
    shown = bench.wordings(DATA).data
    counts = shown.groupby("model").size()
    assert counts["Qwen 0.5B"] == counts["Qwen 1.5B"] == 16
    usual = shown[(shown["model"] == "Qwen 0.5B") & (shown["leakage"].round(2) == 0.69)]
    assert usual["nats"].round(1).tolist() == [3.3]


def test_the_dose_has_a_point_a_number_of_rows(bench):
    shown = bench.dose(DATA).data
    own = shown[shown["of"] == "own samples, instruction"]
    assert own["rows"].tolist() == [24, 96, 360] and (own["leakage"] == 0).all()
    assert len(shown) == 7
    (irrelevant,) = shown[shown["of"] == "own samples, irrelevant"]["leakage"]
    assert irrelevant > 0.9
