"""A law of leakage on constructed cells whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from caveat.analysis.law import LEVEL, Law, law_of_record, prediction_scores, simplest_law
from caveat.errors import CaveatError


def cells(noise: float = 0.0, seed: int = 0, behaviours: int = 4, number: int = 8) -> pd.DataFrame:
    """Leakage is .9 less .6 elicitation plus .2 short_horizon; similarity is noise."""
    generator = np.random.default_rng(seed)
    size = behaviours * number
    values = generator.uniform(size=(size, 3))
    leakage = 0.9 - 0.6 * values[:, 0] + 0.2 * values[:, 1] + noise * generator.normal(size=size)
    return pd.DataFrame(
        {
            "behaviour": np.repeat([f"trait {index}" for index in range(behaviours)], number),
            "model": "small",
            "elicitation": values[:, 0],
            "short_horizon": values[:, 1],
            "similarity": values[:, 2],
            "leakage": leakage,
        }
    )


def test_a_law_finds_the_predictors_and_their_weights():
    law = simplest_law(cells())
    assert law.predictors == ("elicitation", "short_horizon")
    assert law.coefficients() == pytest.approx([0.9, -0.6, 0.2])
    assert law.held_out_r2() == pytest.approx(1)
    low, high = law.interval(np.array([[0.5, 0.5]]))
    assert (low[0], high[0]) == (pytest.approx(0.7), pytest.approx(0.7))


def test_a_predictor_that_adds_nothing_stays_out():
    only_one = cells(noise=0.02).assign(leakage=lambda table: 1 - table["elicitation"])
    assert simplest_law(only_one).predictors == ("elicitation",)


def test_a_record_is_the_law_it_was_made_of():
    law = simplest_law(cells(noise=0.1))
    again = law_of_record(law.record())
    new = np.array([[0.1, 0.9], [0.8, 0.2]])
    assert again.predictors == law.predictors and again.models == ("small",)
    assert again.predicted(new).tolist() == law.predicted(new).tolist()
    assert [limit.tolist() for limit in again.interval(new)] == [
        limit.tolist() for limit in law.interval(new)
    ]


def test_intervals_hold_a_new_behaviour_about_as_often_as_they_say():
    inside = []
    for seed in range(200):
        table = cells(noise=0.1, seed=seed, behaviours=6)
        new = table["behaviour"] == "trait 5"
        law = Law.of(table[~new], ("elicitation", "short_horizon"))
        low, high = law.interval(table.loc[new, [*law.predictors]].to_numpy())
        inside.append((low <= table.loc[new, "leakage"]) & (table.loc[new, "leakage"] <= high))
    assert LEVEL - 0.03 < np.mean(inside) < LEVEL + 0.06


def test_limits_are_the_order_statistics_of_the_paper():
    law = Law.of(cells(noise=0.1), ("elicitation",))
    new = np.array([[0.3]])
    lows, highs = [], []
    for behaviour in np.unique(law.behaviours):
        kept = law.behaviours != behaviour
        slope, intercept = np.polyfit(law.values[kept, 0], law.leakage[kept], 1)
        errors = abs(law.leakage[~kept] - intercept - slope * law.values[~kept, 0])
        lows += list(intercept + slope * 0.3 - errors)
        highs += list(intercept + slope * 0.3 + errors)
    low, high = law.interval(new)
    assert low[0] == pytest.approx(sorted(lows)[3 - 1]), "of 32 cells, floor(.1 x 33)"
    assert high[0] == pytest.approx(sorted(highs)[30 - 1]), "ceil(.9 x 33)"
    few = Law.of(cells(behaviours=4, number=2), ("elicitation",))
    assert [limit[0] for limit in few.interval(new)] == [-np.inf, np.inf]


def test_the_coarse_law_has_the_means_of_both_sides():
    table = cells().assign(leakage=lambda frame: (frame["elicitation"] < 0.5) * 0.8 + 0.1)
    law = Law.of(table, ("elicitation",))
    values = law.coarse(np.array([[0.0], [1.0]]))
    sides = law.predicted(law.values) > 0.5
    assert values.tolist() == pytest.approx([law.leakage[sides].mean(), law.leakage[~sides].mean()])


def test_scores_of_predictions():
    frame = pd.DataFrame(
        {"predicted": [0.0, 0.5, 1.0], "low": [0.0, 0.4, 0.2], "high": [0.2, 0.9, 0.5]}
    ).assign(coarse=[0.0, 1.0, 1.0], leakage=[0.0, 0.5, 1.0])
    scores = prediction_scores(frame)
    assert (scores["r2"], scores["rank"], scores["error"]) == (1, 1, 0)
    assert scores["r2_coarse"] == pytest.approx(0.5)
    assert scores["covered"] == pytest.approx(2 / 3)


def test_too_few_behaviours():
    with pytest.raises(CaveatError) as error:
        simplest_law(cells(behaviours=2))
    assert str(error.value) == (
        "a law through elicitation: 16 cells of 2 behaviours have them and a leakage; "
        "at least 3 behaviours are needed"
    )
