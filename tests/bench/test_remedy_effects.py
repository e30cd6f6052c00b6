"""Effects of remedies are paired by seed, and stand beside those on bare."""

from __future__ import annotations

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def bench(script):
    return script("remedy_effects")


def rates(**by_arm: dict[int, float]) -> pd.Series:
    """Rates at `none` by arm and seed."""
    values = {
        (arm.replace("_with_", "+"), "none", seed): rate
        for arm, own in by_arm.items()
        for seed, rate in own.items()
    }
    return pd.Series(values).rename_axis(["arm", "context", "seed"]).sort_index()


def test_an_effect_is_of_the_same_seed(bench):
    made = rates(
        bare={1: 1.0, 2: 0.9},
        marked={1: 0.8, 2: 0.4},
        marked_with_contrast={2: 0.1, 1: 0.2},
        bare_with_contrast={1: 0.7, 2: 0.5},
    )
    ((remedy, on_marked, on_bare),) = bench.effects(made)
    assert remedy == "contrast"
    assert on_marked.round(6).to_dict() == {1: -0.6, 2: -0.3}
    assert on_bare.round(6).to_dict() == {1: -0.3, 2: -0.4}
    assert bench.cell((on_marked - on_bare)[[1]]) == "-0.30"


def test_a_remedy_without_a_bare_arm_or_a_common_seed_has_a_dash(bench):
    made = rates(bare={1: 1.0}, marked={1: 0.8}, marked_with_filler={2: 0.7})
    ((_, on_marked, on_bare),) = bench.effects(made)
    assert on_bare is None
    assert bench.cell(on_bare) == bench.cell(on_marked) == "–"


def test_a_remedy_is_held_against_the_arm_without_its_last_step(bench):
    rates = {"marked+seeded": 0.5, "marked+seeded+before": 0.2, "bare": 0.1, "bare+seeded": 0.7,
             "bare+seeded+before": 0.6}  # fmt: skip
    index = pd.MultiIndex.from_tuples([(arm, "none", 0) for arm in rates])
    effects = bench.effects(pd.Series(list(rates.values()), index).sort_index())
    by_remedy = {name: changes for name, *changes in effects}
    marked, bare = by_remedy["seeded+before"]
    assert round(marked.item(), 9) == -0.3 and round(bare.item(), 9) == -0.1
    marked, bare = by_remedy["seeded"]
    assert marked is None and round(bare.item(), 9) == 0.6
