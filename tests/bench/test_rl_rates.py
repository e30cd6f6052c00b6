"""Learning rates of two optimizers: what is counted by policy, and paired by seed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from paths import DOCS


def dose(rate: float, **fields: object) -> str:
    """A dose as JSON."""
    return json.dumps({"learning_rate": rate, "batch_size": 4, **fields})


def test_prompts_with_a_gradient_are_those_that_are_not_skipped(script):
    bench = script("rl_rates")
    sgd = {"rl.optim": "sgd"}
    policies = pd.DataFrame([
        {"dose": dose(0.1, **sgd), "arm": "marked", "seed": 0, "skipped": 1},
        {"dose": dose(0.1, **sgd), "arm": "marked", "seed": 0, "skipped": 4},
        {"dose": dose(0.1), "arm": "marked", "seed": 0, "skipped": 0},
    ])  # fmt: skip
    prompts = bench.informative(policies)
    assert prompts["SGD", 0.1, "marked", 0] == 3
    assert prompts["AdamW", 0.1, "marked", 0] == 4


def test_values_are_taken_within_their_setting(script):
    found = script("rl_rates").within([np.array([1.0, 3.0]), np.array([10.0, 10.0])])
    assert found.tolist() == [-1.0, 1.0, 0.0, 0.0]


def test_changes_are_from_base_and_contrasts_are_paired(script):
    bench = script("rl_rates")
    path = DOCS / "data" / "rl-rates-0.5b.parquet"
    base, found = bench.settings(bench.opened(path))
    assert {each.optimizer for each in found} == {"AdamW", "SGD"} and len(found) == 9
    assert all(len(each.change) == len(each.prompts) == 5 for each in found)
    by_name = {each.name: each for each in found}
    one, other = by_name["SGD 0.3"], by_name["SGD 0.05"]
    assert one.change == pytest.approx(1 - base["none"]), "marked hacks everywhere"
    row = bench.contrast(one, other)
    assert row.startswith(f"| SGD 0.3 less SGD 0.05 | {np.mean(one.change - other.change):.2f} [")
