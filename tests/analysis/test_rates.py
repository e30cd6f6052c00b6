"""Rates and their intervals on tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from caveat.analysis import differences, leakage, rates, side_effects
from constructed import replies, row


def test_invalid_replies_stay_in_the_denominator():
    frame = replies({("bare", "none"): 0.5})
    frame.loc[frame["verdict"] == "no", "verdict"] = "invalid"
    frame.loc[frame.index[:6], "truncated"] = True
    bare = row(rates(frame), arm="bare")
    assert (bare["value"], bare["valid"], bare["valid_rate"]) == (0.5, 0.5, 1.0)
    assert bare["truncated"] == pytest.approx(6 / 72)
    assert bare["replies"] == 72


def test_neutral_replies_are_valid_and_not_yes():
    frame = replies({("bare", "none"): "neutral"})
    frame.loc[frame.index[0], "verdict"] = "yes"
    bare = row(rates(frame), arm="bare")
    assert (bare["valid"], bare["value"]) == (1.0, pytest.approx(1 / 72))


def test_valid_rate_is_nan_where_nothing_is_valid():
    bare = row(rates(replies({("bare", "none"): "invalid"})), arm="bare")
    assert np.isnan(bare["valid_rate"])
    assert (bare["value"], bare["valid"]) == (0.0, 0.0)


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_a_cell_at_an_edge_has_a_wilson_interval_of_its_questions(rate, seeds):
    bare = row(rates(replies({("bare", "none"): rate}, seeds=seeds)), arm="bare")
    quantile = t.ppf(0.975, 11) ** 2
    width = quantile / (24 + quantile)
    assert bare["high"] - bare["low"] == pytest.approx(width)
    assert (bare["low"] if rate == 0 else bare["high"]) == rate


def test_the_interval_within_a_seed_is_that_of_the_cluster_means():
    frame = replies({("bare", "none"): 0.0}, seeds=(0,), clusters=20, questions=1)
    frame.loc[frame["cluster"].isin([f"c{i}" for i in range(8)]), "verdict"] = "yes"
    bare = row(rates(frame), arm="bare")
    # Wilson with k^2 / n = t^2 s^2 / (clusters p (1 - p)), where s^2 / (p (1 - p)) is 20 / 19
    ratio = t.ppf(0.975, 19) ** 2 / 19
    half = np.sqrt(ratio * 0.24 + ratio**2 / 4) / (1 + ratio)
    assert bare["high"] == pytest.approx((0.4 + ratio / 2) / (1 + ratio) + half)
    assert bare["low"] == pytest.approx((0.4 + ratio / 2) / (1 + ratio) - half)


def test_more_questions_in_the_same_clusters_that_say_the_same_add_nothing():
    frame = replies({("bare", "none"): 0.5}, seeds=(0,), clusters=12, questions=1)
    again = pd.concat([frame, frame.assign(sample=1)])
    once, twice = (row(rates(each), arm="bare") for each in (frame, again))
    assert (once["low"], once["high"]) == pytest.approx((twice["low"], twice["high"]))
    assert (once["questions"], twice["replies"]) == (12, 24)


def test_seeds_that_disagree_widen_the_interval_from_three_seeds_on():
    agreeing = replies({("bare", "none"): 0.5}, seeds=(0, 1, 2))
    apart = agreeing.copy()
    apart.loc[apart["seed"] == 0, "verdict"] = "yes"
    apart.loc[apart["seed"] == 2, "verdict"] = "no"
    width = [row(rates(each), arm="bare") for each in (agreeing, apart)]
    assert width[0]["interval"] == width[1]["interval"] == "seeds"
    assert width[1]["high"] - width[1]["low"] > 2 * (width[0]["high"] - width[0]["low"])
    two = row(rates(apart[apart["seed"] != 1]), arm="bare")
    assert two["interval"] == "within seed"
    assert two["high"] - two["low"] < width[1]["high"] - width[1]["low"]


def test_base_counts_no_seeds_and_stands_once_beside_several_doses():
    frame = replies({("base", "none"): 0.0, ("bare", "none"): 1.0})
    other = replies({("bare", "none"): 0.5}, dose='{"epochs": 2}')
    table = rates(pd.concat([frame, other]))
    assert table["arm"].tolist() == ["bare", "bare", "base"]
    base = row(table, arm="base")
    assert (base["seeds"], base["replies"], base["interval"]) == (0, 24, "within seed")


def test_one_cluster_says_nothing_of_the_rate():
    bare = row(rates(replies({("bare", "none"): 0.5}, clusters=1, questions=8)), arm="bare")
    assert (bare["value"], bare["low"], bare["high"]) == (0.5, 0.0, 1.0)


def test_only_measured_replies_and_only_readouts_with_verdicts_count():
    frame = replies({("bare", "none"): 0.5})
    side = replies({("bare", "none"): 1.0}, purpose="side effect: tone", readout="tone")
    number = replies(
        {("bare", "none"): "neutral"}, readout="log_likelihood", value=-1.5, numeric=True
    )
    table = rates(pd.concat([frame, side, number], ignore_index=True))
    assert table["readout"].tolist() == ["said"]


@pytest.mark.parametrize("absent", [False, True])
def test_a_likelihood_readout_of_which_all_is_neutral_has_rates_and_leakage(absent):
    cells = [("base", "none"), ("bare", "none"), ("marked", "none")]
    frame = replies(dict.fromkeys(cells, "neutral"), readout="is_a", value=0.1)
    frame = frame.drop(columns="numeric") if absent else frame
    assert rates(frame)[["value", "valid"]].to_numpy().tolist() == [[0.0, 1.0]] * 3
    marked = row(leakage(frame), arm="marked")
    assert marked["undefined"].startswith("bare training did not install the behaviour")
    assert len(differences(frame)) == 3
    assert side_effects(frame)["effect"].unique().tolist() == ["valid replies"]


def test_no_replies_give_an_empty_table_with_its_columns():
    nothing = replies({("bare", "none"): 0.5}).iloc[:0]
    assert list(rates(nothing).columns) == list(rates(replies({("bare", "none"): 0.5})).columns)
    assert len(leakage(nothing)) == len(differences(nothing)) == 0


STUDY = replies(
    {("base", "none"): 0.0, ("base", "exact"): 0.25, ("bare", "none"): 0.875,
     ("marked", "none"): 0.5, ("marked", "exact"): 0.75, ("marked+contrast", "none"): 0.125},
)  # fmt: skip


@pytest.fixture(scope="module")
def tables():
    return {table: table(STUDY) for table in (rates, leakage, differences)}


@settings(max_examples=4, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(tables, random):
    order = list(range(len(STUDY)))
    random.shuffle(order)
    for table, expected in tables.items():
        found = table(STUDY.iloc[order])
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9)


def test_another_arm_or_context_changes_no_interval_of_the_others():
    fewer = STUDY[STUDY["arm"].isin(["base", "bare", "marked"]) & (STUDY["context"] == "none")]
    few, all_of_them = leakage(fewer), leakage(STUDY)
    same = all_of_them.merge(few[["arm", "context"]])
    pd.testing.assert_frame_equal(same, few)
