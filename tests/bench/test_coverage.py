"""The short form of `bench/coverage.py`: intervals hold the truth as often as they say."""

import importlib.util
import sys

import numpy as np
import pytest

from paths import BENCH

PATH = BENCH / "coverage.py"
SIMULATIONS = 600
SLACK = 0.02
"""Two standard errors of a coverage near 95% over so many simulations."""


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_coverage", PATH)
    module = sys.modules["bench_coverage"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def most(design) -> float:
    """Three seeds that differ little cannot be distinguished from three that differ more."""
    return 0.998 if design.seeds == 3 else 0.97 + SLACK


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("design", [(1, 12, 2), (3, 12, 2), (5, 24, 2)])
def test_rates_are_covered(bench, rate, design):
    effects = bench.Effects(seed=0.5, cluster=0.5, question=0.5)
    found = bench.rate_coverage(
        rate, bench.Design(*design), effects, SIMULATIONS, np.random.default_rng(1)
    )
    assert 0.93 - SLACK <= found.coverage <= most(bench.Design(*design))
    assert found.width < 0.75


@pytest.mark.parametrize("design", [(1, 12, 2), (3, 12, 2), (5, 24, 2)])
def test_differences_and_leakage_are_covered(bench, design):
    rest = (bench.Design(*design), bench.Effects(0.5, 0.5, 0.5), 400)
    difference = bench.difference_coverage((0.5, 0.9), *rest, np.random.default_rng(2))
    assert 0.93 - SLACK <= difference.coverage <= most(rest[0])
    leak = bench.leakage_coverage(0.5, *rest, np.random.default_rng(3))
    assert 0.93 - SLACK <= leak.coverage <= most(rest[0])


def test_steps_of_a_ladder_are_covered(bench):
    design, effects = bench.Design(3, 12, 2), bench.Effects(0.5, 0.5, 0.5)
    step = bench.step_coverage((0.5, 0.5), design, effects, 200, np.random.default_rng(4))
    assert 0.93 - SLACK <= step.coverage < 1
    assert step.width < 1.5


def test_an_interval_too_narrow_by_a_third_would_be_noticed(bench):
    rest = (bench.Design(5, 24, 2), bench.Effects(0.5, 0.5, 0.5), SIMULATIONS)
    generator = np.random.default_rng(1)
    yes, truth = bench.simulate((0.5,), *rest[:2], SIMULATIONS, generator)
    low, high = bench.estimates_of(yes, rest[0], None).rate_intervals()
    middle, third = (low + high) / 2, (high - low) / 3
    narrow = (middle - third <= truth[:, 0]) & (truth[:, 0] <= middle + third)
    assert narrow.mean() < 0.93 - SLACK


def test_the_simulation_has_the_rate_it_says(bench):
    design, effects = bench.Design(3, 12, 2), bench.Effects(0.5, 1.0, 0.5)
    yes, truth = bench.simulate((0.1, 0.9), design, effects, 4000, np.random.default_rng(1))
    assert (yes / 2).mean((0, 2, 3)) == pytest.approx([0.1, 0.9], abs=0.005)
    assert truth[0].tolist() == [0.1, 0.9]


def test_p_values_are_not_too_small_where_seeds_differ(bench):
    """Dropping the seed term where it is estimated at 0, as once was done, has 3.2% of them below
    .01 and 1.2% below .001."""
    found = bench.false_positives(
        "difference", 0.5, bench.Design(3, 24, 1), 1.0, 1500, np.random.default_rng(5)
    )
    at_05, at_01, at_001 = found.shares
    assert 0.02 < at_05 < 0.07 and at_01 < 0.015 and at_001 < 0.003
    assert 0.02 < found.seed_shares[0] < 0.075 and found.used == 1500
