"""Limits over training seeds, against scipy, and where there are too few seeds or no room."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from caveat.diagnostics.intervals import mean_over_seeds, share_limits, t_limits


def test_limits_are_students_and_seeds_are_averaged_first():
    values = np.array([0.2, 0.5, 0.4, 0.9])
    expected = t.interval(0.95, 3, loc=values.mean(), scale=values.std(ddof=1) / 2)
    assert t_limits(values) == pytest.approx((0.5, *expected))
    frame = pd.DataFrame({"seed": [0, 0, 1, 2, 3], "x": [0.1, 0.3, 0.5, 0.4, 0.9]})
    assert mean_over_seeds(frame, "x") == pytest.approx((0.5, *expected))


def test_two_seeds_have_a_mean_alone_and_missing_values_do_not_count():
    mean, low, high = t_limits(np.array([0.2, np.nan, 0.4]))
    assert mean == pytest.approx(0.3) and math.isnan(low) and math.isnan(high)
    assert all(map(math.isnan, t_limits(np.array([np.nan]))))


def test_limits_of_shares_stay_within_their_range():
    mean, low, high = share_limits(np.array([0.8, 0.9, 1.0]))
    values = np.array([0.8, 0.9, 1.0])
    assert (mean, low, high) == (pytest.approx(0.9), t_limits(values)[1], 1.0)
    assert t_limits(values)[2] > 1
    assert math.isnan(share_limits(np.array([0.5]))[1])
