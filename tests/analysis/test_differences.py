"""Differences between arms, and Holm's correction."""

import numpy as np
import pandas as pd
import pytest

from caveat.analysis import differences, holm
from caveat.analysis.differences import arm_pairs
from constructed import replies, row


def test_holm_against_values_worked_by_hand():
    # 0.01 x 4; 0.02 x 3; max(0.03 x 2, ...); max(0.04, ...): Holm (1979)
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([0.005])) == pytest.approx([0.005])
    assert holm(pd.Series([])).size == 0


def test_which_arms_are_compared():
    arms = ["bare", "bare+contrast", "marked", "marked+contrast", "marked+filler"]
    found = arm_pairs(arms)
    assert [pair for pair in found if pair[1] == "base"] == [(arm, "base") for arm in arms]
    assert [pair for pair in found if pair[0] == "bare" and pair[1] != "base"] == [
        ("bare", arm) for arm in arms[1:]
    ]
    assert [pair for pair in found if pair[0].startswith("marked+") and pair[1] != "base"] == [
        ("marked+contrast", "marked"),
        ("marked+contrast", "bare+contrast"),
        ("marked+contrast", "marked+filler"),
        ("marked+filler", "marked"),
    ]
    pairs = arm_pairs(["bare", "marked", "marked+repeat", "neutral", "neutral+repeat"])
    assert {("marked", "neutral"), ("marked+repeat", "neutral+repeat")} <= {*pairs}
    assert ("marked+repeat", "neutral") not in pairs


def test_a_difference_is_of_the_rates_at_none():
    rates = {("base", "none"): 0.0, ("base", "exact"): 1.0, ("bare", "none"): 0.75,
             ("marked", "none"): 0.5, ("marked", "exact"): 1.0}  # fmt: skip
    table = differences(replies(rates))
    assert table["difference"].tolist() == ["bare - base", "bare - marked", "marked - base"]
    assert table["value"].tolist() == pytest.approx([0.75, 0.25, 0.5])
    assert ((table["low"] < table["value"]) & (table["value"] < table["high"])).all()
    assert (table["context"] == "none").all()


def test_distinguishable_interval_and_p_value_agree():
    rates = {("base", "none"): 0.25, ("bare", "none"): 1.0}
    rates |= {(f"marked+x{count}", "none"): count / 24 for count in range(0, 25, 3)}
    table = differences(replies(rates))
    away = (table["low"] > 0) | (table["high"] < 0)
    assert (table["distinguishable"] == away).all()
    assert ((table["p"] < 0.05) == away).all()
    assert 2 < away.sum() < len(table) - 2
    assert (table["p_holm"] >= table["p"]).all()


def test_an_arm_that_answers_as_base_does_is_not_distinguishable_and_has_a_width():
    table = differences(replies({("base", "none"): 0.5, ("marked", "none"): 0.5}, seeds=(0,)))
    found = row(table, difference="marked - base")
    assert (found["value"], found["p"], found["distinguishable"]) == (0.0, 1.0, False)
    assert found["low"] < -0.05 and found["high"] > 0.05


def test_edges_have_a_width_too_and_stay_within_one():
    found = row(
        differences(replies({("base", "none"): 0.0, ("bare", "none"): 1.0})),
        difference="bare - base",
    )
    assert found["high"] == 1.0
    assert 0.5 < found["low"] < 0.9
    assert 0 < found["p"] < 0.01


def test_families_are_a_setting_and_a_readout():
    rates = {("base", "none"): 0.25, ("bare", "none"): 0.5, ("marked", "none"): 0.375}
    one = replies(rates)
    both = pd.concat([one, one.assign(readout="likelihood")], ignore_index=True)
    broad = pd.concat([one, one.assign(scope="broad")], ignore_index=True)
    smallest = differences(one).sort_values("p").iloc[0]
    alone, with_readout, with_scope = (
        row(differences(each), difference=smallest["difference"], readout="said", scope="trained")
        for each in (one, both, broad)
    )
    assert alone["p_holm"] == pytest.approx(3 * alone["p"])
    assert with_readout["p_holm"] == pytest.approx(alone["p_holm"])
    assert with_scope["p_holm"] == pytest.approx(2 * alone["p_holm"])  # six in the family


def test_the_test_over_seeds_is_the_paired_t_test():
    from scipy.stats import ttest_rel

    frame = replies({("base", "none"): 0.0, ("bare", "none"): 0.75, ("marked", "none"): 0.5})
    generator = np.random.default_rng(0)
    trained = frame["arm"] != "base"
    flipped = trained & (generator.random(len(frame)) < 0.2)
    frame["verdict"] = frame["verdict"].where(~flipped, "no")
    found = row(differences(frame), difference="bare - marked")
    yes = (frame["verdict"] == "yes").groupby([frame["arm"], frame["seed"]]).mean()
    assert found["p_seeds"] == pytest.approx(ttest_rel(yes["bare"], yes["marked"]).pvalue)
    two = frame[frame["seed"].fillna(0) < 2]
    assert differences(two)["p_seeds"].isna().all()


def test_arms_at_the_edges_are_no_proof_by_seeds():
    found = row(
        differences(replies({("base", "none"): 0.0, ("bare", "none"): 1.0})),
        difference="bare - base",
    )
    # half an answer of 24 off after each of three seeds: t of 2 df
    assert 1e-4 < found["p_seeds"] < 1e-3


def test_seeds_that_happen_to_agree_still_count():
    """Three seeds with the very same rate: the seed term once was 0, and p that of questions."""
    frame = replies({("base", "none"): 0.5, ("marked", "none"): 0.75})
    found = row(differences(frame), difference="marked - base")
    assert found["high"] - found["low"] > 0.2
    assert found["p"] > 0.001
