"""Scores of diagnostics on constructed tables, where it is known which one goes with leakage."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from caveat.diagnostics.scores import diagnostic_cells, diagnostic_scores

SETTINGS = [f"setting {number}" for number in range(8)]
DOSE = json.dumps({"epochs": 2, "rank": 4})
LEAKAGE = np.random.default_rng(0).uniform(0, 1, (8, 2))
"""By setting, of marked and marked+x."""
ARMS = ("marked", "marked+x")


def place(setting: str) -> dict:
    return {"setting": setting, "model": "m", "dose": DOSE}


def leakage() -> pd.DataFrame:
    rows = [
        {
            **place(setting), "arm": arm, "context": context, "scope": "trained", "clusters": 5,
            "behaviour": f"behaviour {i % 4}",
            "readout": "r", "leakage": LEAKAGE[i, j] + (0.1 if context == "near_miss" else 0),
        }
        for i, setting in enumerate(SETTINGS)
        for j, arm in enumerate(ARMS)
        for context in ("none", "exact", "near_miss")
    ]  # fmt: skip
    # a broad scope and a setting whose leakage is undefined must not get in the way
    broad = [{**row, "scope": "broad", "leakage": -5.0} for row in rows]
    undefined = [{**row, **place("other"), "leakage": np.nan} for row in rows[:3]]
    return pd.DataFrame([*broad, *rows, *undefined])


def tables() -> dict[str, pd.DataFrame]:
    generator = np.random.default_rng(1)
    held = [
        {**place(setting), "arm": arm, "context": "none", "layer": layer,
         "held": LEAKAGE[i, j] ** 3 if layer == 3 else 0.5}
        for i, setting in enumerate(SETTINGS)
        for j, arm in enumerate(ARMS)
        for layer in range(5)
    ]  # fmt: skip
    held += [{**place("other"), "arm": "marked", "context": "none", "layer": 3, "held": 0.2}]
    divergence = [
        {**place(setting), "context": context, "from_none": generator.uniform(),
         "from_exact": 1 - LEAKAGE[i].mean(), "towards_exact": generator.uniform()}
        for i, setting in enumerate(SETTINGS)
        for context in ("exact", "near_miss")
    ]  # fmt: skip
    mine = [{**place(setting), "arm": "marked", "value": -LEAKAGE[i, 0], "seed": seed}
            for i, setting in enumerate(SETTINGS) for seed in (0, 1)]  # fmt: skip
    frames = {"held_probe": held, "divergences": divergence, "my probe": mine}
    return {name: pd.DataFrame(rows) for name, rows in frames.items()}


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    return diagnostic_cells(tables(), leakage())


def test_cells_join_each_value_to_the_primary_leakage(cells):
    held = cells[cells["diagnostic"] == "states taken for bare's"]
    assert len(held) == 17 and (held["left_out"] == "undefined").sum() == 1
    usable = held[held["left_out"] == ""]
    np.testing.assert_allclose(usable["value"], usable["leakage"] ** 3)
    by_setting = cells[cells["diagnostic"] == "divergence of the caveat from none"]
    assert sorted(by_setting["arm"].unique()) == list(ARMS) and len(by_setting) == 16
    elsewhere = cells[cells["target"] == "leakage in other contexts"]
    assert set(elsewhere["context"]) == {"near_miss"} and len(elsewhere) == 3 * 16


def test_what_goes_with_leakage_is_trusted_and_what_does_not_is_not(cells):
    scores = diagnostic_scores(cells, draws=300, seed=0).set_index("diagnostic")
    good = scores.loc["states taken for bare's"]
    assert good["rank"] == pytest.approx(1) and good["r2"] > 0.7 and good["trusted"]
    assert (good["cells"], good["settings"], good["left_out"]) == (16, 8, 1)
    assert good["verdict"] == "trust" and good["p"] < 0.01 < 3 * good["p_holm"]
    assert good["r2_behaviours"] > 0.7 and np.isnan(good["r2_models"])
    mine = scores.loc["my probe"]
    assert mine["rank"] == pytest.approx(-1) and mine["r2"] == pytest.approx(1, abs=1e-6)
    assert mine["cells"] == 8 and mine["trusted"]
    useless = scores.loc["divergence of the caveat from none"]
    assert abs(useless["rank"]) < 0.7 and useless["r2"] < 0.3 and not useless["trusted"]
    assert useless["verdict"] == "do not trust"
    assert scores.loc["divergence from_exact", "rank"] < -0.3


def test_what_only_tells_behaviours_apart_is_not_trusted(cells):
    """Leakage is that of the behaviour, and the diagnostic a number of the behaviour's own."""
    held = cells[cells["diagnostic"] == "states taken for bare's"].copy()
    held = held[held["left_out"] == ""]
    number = held["behaviour"].str[-1].astype(int)
    held["leakage"] = np.array([0.0, 1.0, 1.0, 0.0])[number] + 0.02 * held["leakage"]
    held["value"] = np.array([0.0, 1.0, 1.1, -3.0])[number]
    row = diagnostic_scores(held, draws=300).iloc[0]
    assert row["r2"] > row["r2_behaviours"] and row["r2_behaviours"] < 0
    assert row["verdict"] == "do not trust"


def test_too_few_settings_have_no_score_and_a_reason(cells):
    seven = diagnostic_scores(cells[cells["setting"].isin(SETTINGS[:7])], draws=300)
    assert set(seven["verdict"]) == {"too few settings to say"} and seven["trusted"].any()
    few = cells[cells["setting"].isin(SETTINGS[:2])]
    scores = diagnostic_scores(few, draws=50)
    assert scores["rank"].isna().all() and not scores["trusted"].any()
    assert set(scores["undefined"]) == {"2 settings with a value and a leakage; 3 are needed"}
