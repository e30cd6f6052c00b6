"""The figures of docs/results/law.md show every setting that their pages speak of."""

from __future__ import annotations

import importlib

import pytest

from paths import BENCH, DOCS

DATA = DOCS / "data"


@pytest.fixture(scope="module")
def bench():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCH)
        yield importlib.import_module("law_figures")


def test_the_curve_stands_beside_every_setting_that_it_was_not_fitted_to(bench):
    line, points = bench.first_tokens(DATA).layer
    assert len(points.data) == 108
    assert {*points.data["model"]} == {*bench.MODELS}
    assert line.data["leakage"].is_monotonic_decreasing


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
