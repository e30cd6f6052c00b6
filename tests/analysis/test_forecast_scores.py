"""Forecasts scored against leakages made by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from caveat import analysis as measure
from caveat.analysis.forecast import (
    ALL,
    COMBINED,
    PREDICTORS,
    forecast_cells,
    forecast_scores,
    yes_no,
)
from caveat.analysis.held_out_regression import HeldOutRegression
from caveat.analysis.rank_correlation import spearman
from constructed import replies, row

ARMS = ("marked", "marked+contrast", "marked+filler", "marked+local")
DOSE = {"rows": 4, "layers": [0.5, 1.0]}


def made(settings: int = 8, seed: int = 0, **columns) -> tuple[list[dict], pd.DataFrame]:
    """Forecasts and the leakages that belong to them; `columns` make a predictor of a leakage."""
    generator = np.random.default_rng(seed)
    forecasts, measured = [], []
    for place in range(settings):
        for arm in ARMS:
            leakage = float(generator.normal())
            named = {"setting": f"s{place} x c", "behaviour": f"s{place}", "model": "m", "arm": arm}
            figures = {name: float(generator.normal()) for name in PREDICTORS}
            figures |= {name: make(leakage, generator) for name, make in columns.items()}
            forecasts.append({**named, "dose": DOSE, **figures})
            measured.append(
                {**named, "dose": json.dumps(DOSE, sort_keys=True), "context": "none",
                 "scope": "trained", "readout": "said", "clusters": 4, "leakage": leakage,
                 "undefined": None}
            )  # fmt: skip
    return forecasts, pd.DataFrame(measured)


def scores(forecasts, leakage, **options) -> pd.DataFrame:
    return forecast_scores(forecast_cells(forecasts, leakage), draws=400, **options)


def test_a_predictor_that_is_leakage_itself_explains_all_of_it():
    found = scores(*made(first_order=lambda leakage, _: leakage))
    perfect = row(found, predictor="first_order", arms=ALL)
    for name in ("rank", "r2", "r2_as_leakage"):
        figures = perfect[[name, f"{name}_low", f"{name}_high"]].astype(float)
        assert figures.to_numpy() == pytest.approx(1, abs=1e-6)
    assert perfect["trusted"] and perfect["cells"] == 32 and perfect["settings"] == 8
    assert row(found, predictor="combined", arms=ALL)["r2"] == pytest.approx(1, abs=1e-6)
    assert np.isnan(row(found, predictor="combined", arms=ALL)["rank"])


def test_one_on_another_scale_explains_all_of_it_only_once_fitted():
    found = scores(*made(short_horizon=lambda leakage, _: 3 - 2 * leakage))
    scaled = row(found, predictor="short_horizon", arms=ALL)
    assert scaled["r2"] == pytest.approx(1, abs=1e-6) and scaled["rank"] == pytest.approx(-1)
    assert scaled["r2_as_leakage"] < 0
    assert np.isnan(row(found, predictor="loss_gap", arms=ALL)["r2_as_leakage"])


def test_noise_is_not_to_be_trusted():
    found = [scores(*made(settings=16, seed=seed)) for seed in range(6)]
    noise = pd.concat(found)
    noise = noise[noise["arms"] == ALL]
    assert (noise["r2"] < 0.2).all() and (noise["r2_low"] < 0).all() and not noise["trusted"].any()


def test_a_predictor_of_some_use_is_trusted_and_is_not_all():
    found = scores(*made(20, loss_ratio=lambda leakage, g: leakage + 0.5 * g.normal()))
    useful = row(found, predictor="loss_ratio", arms=ALL)
    assert useful["trusted"]
    assert useful["r2_low"] < useful["r2"] < useful["r2_high"] < 1
    assert useful["r2"] == pytest.approx(0.8, abs=0.12)


def test_what_is_the_same_within_a_setting_may_be_no_use_in_another():
    """It tells settings apart that it was fitted on, and says nothing of one it was not."""
    forecasts, leakage = made(8)
    for place, record in enumerate(forecasts):
        setting = place // len(ARMS)
        record["similarity"] = (setting * 5) % 8
        leakage.loc[place, "leakage"] = float(setting % 2) + 0.01 * place
    blind = row(scores(forecasts, leakage), predictor="similarity", arms=ALL)
    assert blind["r2"] < 0 and not blind["trusted"]


def test_r2_is_that_of_lines_fitted_one_by_one():
    generator = np.random.default_rng(3)
    units = np.repeat(np.arange(5), [3, 4, 2, 6, 5])
    x = generator.normal(size=(20, 2)) * [1, 1000] + [0, 5e4]
    y = x @ [0.5, 1e-3] + generator.normal(size=20) + units
    fits = HeldOutRegression.of(y, units, 50, 1)
    assert fits.r2(x)[0] == pytest.approx(one_by_one(x, y, units))
    drawn = next(k for k in range(1, 51) if (fits.counts[k] > 0).sum() >= 4)
    again = np.repeat(np.arange(20), fits.counts[drawn][units].astype(int))
    of_draw = one_by_one(x[again], y[again], units[again])
    assert fits.r2(x)[drawn] == pytest.approx(of_draw, abs=1e-5)
    assert fits.rank_correlation(x[:, 0])[drawn] == pytest.approx(
        spearman(x[again, 0][None], y[again][None]).item()
    )


def one_by_one(x, y, units) -> float:
    errors = about = 0.0
    design = np.column_stack([np.ones(len(x)), x])
    for unit in np.unique(units):
        out = units == unit
        slopes = np.linalg.lstsq(design[~out], y[~out], rcond=None)[0]
        errors += ((y[out] - design[out] @ slopes) ** 2).sum()
        about += ((y[out] - y[~out].mean()) ** 2).sum()
    return 1 - errors / about


def test_arms_with_interventions_are_scored_apart_too():
    found = scores(*made(first_order=lambda leakage, _: leakage))
    assert list(dict.fromkeys(found["arms"])) == [ALL, "marked", "marked with an intervention"]
    assert row(found, predictor="first_order", arms="marked")["cells"] == 8
    assert row(found, predictor="first_order", arms="marked with an intervention")["cells"] == 24
    forecasts, leakage = made()
    alone = scores([each for each in forecasts if each["arm"] == "marked"], leakage)
    assert set(alone["arms"]) == {ALL}


def test_a_predictor_stands_beside_its_yes_or_no():
    """Leakage that is one of two values is predicted as well by a yes or no; one in between is
    not."""
    two = lambda leakage, _: float(leakage > 0)  # noqa: E731
    forecasts, leakage = made(8, similarity=two)
    graded = row(
        scores(*made(8, similarity=lambda leakage, _: leakage)), predictor="similarity", arms=ALL
    )
    assert graded["r2"] > 0.99 and 0 < graded["r2_yes_no"] < 0.8 and graded["r2_gain_low"] > 0.1
    leakage["leakage"] = [record["similarity"] for record in forecasts]
    coarse = row(scores(forecasts, leakage), predictor="similarity", arms=ALL)
    assert coarse["r2_yes_no"] == coarse["r2"] and coarse["r2_gain"] == 0
    assert yes_no(np.array([[0.0], [0.2], [0.51], [1.0]])).ravel().tolist() == [0, 0, 1, 1]


def test_models_are_left_out_whole_where_there_are_three():
    forecasts, leakage = made(8, similarity=lambda leakage, g: leakage + g.normal())
    one_model = row(scores(forecasts, leakage), predictor="similarity", arms=ALL)
    assert np.isnan(one_model["r2_models"])
    for place, record in enumerate(forecasts):
        record["model"] = f"m{place // 4 % 4}"
    leakage["model"] = [record["model"] for record in forecasts]
    found = row(scores(forecasts, leakage), predictor="similarity", arms=ALL)
    x = np.array([[record["similarity"]] for record in forecasts])
    y = leakage["leakage"].to_numpy(float)
    assert found["r2_models"] == pytest.approx(one_by_one(x, y, np.arange(32) // 4 % 4))


def test_behaviours_are_left_out_whole_too():
    forecasts, leakage = made(8, similarity=lambda leakage, g: leakage + g.normal())
    for place, record in enumerate(forecasts):
        record["behaviour"] = f"b{place // 8}"
    found = row(scores(forecasts, leakage), predictor="similarity", arms=ALL)
    assert (found["settings"], found["behaviours"]) == (8, 4)
    x = np.array([[record["similarity"]] for record in forecasts])
    y = leakage["leakage"].to_numpy(float)
    assert found["r2"] == pytest.approx(one_by_one(x, y, np.arange(32) // 4))
    assert found["r2_behaviours"] == pytest.approx(one_by_one(x, y, np.arange(32) // 8))


def test_what_only_tells_behaviours_apart_is_no_use_for_another_one():
    forecasts, leakage = made(9)
    for place, record in enumerate(forecasts):
        behaviour = place // 12
        record["behaviour"], record["similarity"] = f"b{behaviour}", (behaviour * 2) % 3
        leakage.loc[place, "leakage"] = [0.0, 1.0, 0.1][behaviour] + 0.01 * (place % 12)
    found = row(scores(forecasts, leakage), predictor="similarity", arms=ALL)
    assert found["r2_behaviours"] < 0 < found["r2"]
    for record in forecasts[24:]:
        record["behaviour"] = "b1"
    two = row(scores(forecasts, leakage), predictor="similarity", arms=ALL)
    assert two["behaviours"] == 2 and np.isnan(two["r2_behaviours"]) and two["r2"] == found["r2"]


def test_what_cannot_be_scored_is_left_out_and_counted():
    forecasts, leakage = made(5, first_order=lambda leakage, _: leakage)
    forecasts[0]["first_order"] = None
    leakage.loc[1, "leakage"] = np.nan
    forecasts[2]["dose"] = {**DOSE, "rows": 5}
    cells = forecast_cells(forecasts, leakage)
    assert cells["left_out"].tolist()[:4] == ["", "leakage undefined", "not measured", ""]
    found = forecast_scores(cells, draws=100)
    assert row(found, predictor="first_order", arms=ALL)[["cells", "left_out"]].tolist() == [17, 3]
    assert row(found, predictor="loss_gap", arms=ALL)[["cells", "left_out"]].tolist() == [18, 2]
    assert row(found, predictor="first_order", arms=ALL)["r2"] == pytest.approx(1, abs=1e-6)


def test_too_few_settings_are_told():
    found = scores(*made(2))
    assert set(found["undefined"]) == {
        "2 settings with leakage and this predictor; at least 3 are needed"
    }
    assert found["r2"].isna().all() and not found["trusted"].any()
    forecasts, leakage = made(4)
    forecasts = [{**each, "elicitation": None} for each in forecasts]
    found = scores(forecasts, leakage)
    assert row(found, predictor="elicitation", arms=ALL)["undefined"].startswith("0 settings with")
    assert set(found[found["undefined"].notna()]["predictor"]) == {"elicitation", "combined"}
    assert set(COMBINED) <= set(PREDICTORS)


def test_leakage_is_that_of_the_readout_that_stands_for_the_setting():
    rates = {("base", "none"): 0.0, ("bare", "none"): 1.0, ("marked", "none"): 0.5}
    wide = replies(rates, clusters=12)
    narrow = replies(rates | {("marked", "none"): 0.0}, clusters=6, readout="is_a")
    broad = replies(rates | {("marked", "none"): 1.0}, clusters=20, scope="broad")
    measured = measure.leakage(pd.concat([narrow, broad, wide]))
    forecasts = [
        {"setting": "people x disclaimer", "behaviour": "people", "model": "tiny", "arm": "marked",
         "dose": {"epochs": 1}, **dict.fromkeys(PREDICTORS, 0.0)}
    ]  # fmt: skip
    (leakage,) = forecast_cells(forecasts, measured)["leakage"]
    assert leakage == pytest.approx(0.5)


def test_of_two_studies_with_the_same_cell_the_first_counts():
    forecasts, leakage = made(3)
    both = pd.concat([leakage, leakage.assign(leakage=9.0)])
    cells = forecast_cells([*forecasts, *forecasts], both)
    assert len(cells) == 12 and cells["leakage"].tolist() == leakage["leakage"].tolist()
