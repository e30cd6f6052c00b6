"""Leakage against elicitation, on settings that lie on a line, or on none."""

from __future__ import annotations

import numpy as np
import pytest

from constructed import row
from laddered import Made, ladder_of

STEPS = (0.0, 0.25, 0.5, 0.75)


def warmed(told: float, marked: float, name: str = "capitals x instruction") -> Made:
    return Made(name, {"taught": str(told)}, marked, told=told, model=f"tiny + {told}")


def test_a_falling_line_has_its_slope_and_a_correlation_of_minus_1():
    found = ladder_of([warmed(told, 1 - told) for told in STEPS]).elicitation_curves
    (curve,) = found.to_dict("records")
    assert (curve["family"], curve["name"], curve["settings"]) == (
        "setting", "capitals x instruction", 4,
    )  # fmt: skip
    assert curve["correlation"] == pytest.approx(-1) and curve["slope"] == pytest.approx(-1)
    assert curve["slope_low"] < -1 < curve["slope_high"] < 0
    assert curve["slope_low_settings"] == pytest.approx(-1) == curve["slope_high_settings"]
    assert curve["correlation_low"] == pytest.approx(-1) == curve["correlation_low_settings"]
    assert (
        curve["correlation_high"] < 0 < curve["correlation_high_settings"]
    )  # of four settings only
    assert 1 / 24 <= curve["p"] < 0.15  # in order or in reverse: 2 of 24
    assert (curve["undefined"], curve["interval"]) == (None, "seeds")


def test_a_constant_k_and_one_that_varies_are_distinguishable():
    """k of .5: what elicitation leaves to learn is learned by half."""
    told = (2 / 24, 6 / 24, 10 / 24)
    same = ladder_of([warmed(each, (1 - each) / 2) for each in told]).elicitation_curves.iloc[0]
    found = [same[name] for name in ("k_settings", "k_least", "k_most", "k_mean")]
    assert found == pytest.approx([3, 0.5, 0.5, 0.5])
    assert same["q"] == pytest.approx(0) and same["q_p"] == pytest.approx(1)
    apart = [warmed(0.125, 0.875), warmed(0.25, 0.375), warmed(0.375, 0.0)]
    other = ladder_of(apart).elicitation_curves.iloc[0]
    assert (other["k_least"], other["k_most"]) == (0.0, pytest.approx(1.0))
    assert other["q_p"] < 0.01


def test_settings_of_one_elicitation_are_no_curve():
    alike = [warmed(0.0, 0.5), Made("capitals x instruction", {"taught": "again"}, 0.75)]
    assert ladder_of(alike).elicitation_curves.empty


def test_a_behaviour_under_several_caveats_is_a_family_too():
    found = ladder_of([
        *(warmed(told, 1 - told) for told in STEPS[:3]),
        warmed(0.5, 1.0, "capitals x trigger"),
        Made("people x disclaimer", {"taught": "no"}, 0.5),
    ]).elicitation_curves  # fmt: skip
    assert list(zip(found["family"], found["name"], found["settings"], strict=True)) == [
        ("setting", "capitals x instruction", 3), ("behaviour", "capitals", 4),
    ]  # fmt: skip
    setting, behaviour = (row(found, family=family) for family in ("setting", "behaviour"))
    assert setting["correlation"] < behaviour["correlation"]


def test_the_reason_why_there_is_no_correlation():
    flat = ladder_of([warmed(told, 0.5) for told in STEPS]).elicitation_curves.iloc[0]
    assert flat["undefined"] == "all its settings have the same leakage, or elicitation"
    assert np.isnan(flat["correlation"]) and flat["k_settings"] == 2
    few = ladder_of([warmed(0.0, 1.0), warmed(0.5, 0.5)]).elicitation_curves.iloc[0]
    assert few["undefined"] == "2 of its settings have elicitation and leakage, 3 are needed"
