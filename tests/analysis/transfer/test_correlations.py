"""The analogy's score on tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from caveat.analysis import correlations, rankings, reliabilities
from caveat.analysis.rank_correlation import limits_over_items, p_value, spearman
from constructed import replies, row

TRIED = tuple("abcdefgh")
PHENOMENA = {"t": "backdoor", "i": "inoculation", "d": "negation neglect"}


def setting(name: str, order=TRIED, bare=1.0, **columns) -> pd.DataFrame:
    """A setting whose interventions leave ever higher rates, in the order given."""
    behaviour, _, caveat = name.partition(" x ")
    rates = {("base", "none"): 0.0, ("bare", "none"): bare, ("marked", "none"): 0.75}
    rates |= {(f"marked+{each}", "none"): place / 12 for place, each in enumerate(order)}
    return replies(rates, setting=name, phenomenon=PHENOMENA[caveat], behaviour=behaviour,
                   **columns)  # fmt: skip


def scored(*settings: pd.DataFrame, draws: int = 400) -> pd.DataFrame:
    return correlations(rankings(pd.concat(settings, ignore_index=True), draws, 0))


def test_spearman_is_that_of_scipy_and_says_where_there_is_none():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 5, (2, 20, 9)) / 3
    expected = [spearmanr(*each).statistic for each in zip(first, second, strict=True)]
    assert spearman(first, second) == pytest.approx(expected)
    assert np.isnan(spearman(np.zeros((1, 4)), np.arange(4.0)[None])).all()
    # tied but for float error
    assert spearman(np.array([[0.1 + 0.2, 0.3, 1]]), np.array([[1.0, 1, 2]])).item() == 1


def test_the_interval_over_interventions_is_never_without_width():
    # Bonett & Wright 2000: tanh(arctanh(r) -+ 1.96 sqrt((1 + r^2 / 2) / (n - 3)))
    assert limits_over_items(0.5, 12) == pytest.approx((-0.1427, 0.8461), abs=1e-4)
    low, high = limits_over_items(1.0, 12)
    assert high == 1.0 and 0.9 < low < 0.99
    assert limits_over_items(-1.0, 4)[0] == -1.0
    assert limits_over_items(0.9, 3) == (-1.0, 1.0)


def test_a_p_value_is_never_0():
    assert p_value(1.0, np.zeros(99)) == 0.01
    assert p_value(-0.5, np.array([0.5, -0.5, 0.1])) == 0.75


def test_planted_effects_that_agree_or_are_reversed():
    reverse = TRIED[::-1]
    table = scored(setting("a x t"), setting("b x t"), setting("a x i", reverse))
    within = row(table, level="within phenomenon")
    assert within["value"] == pytest.approx(1) and within["low"] > 0.9
    assert (within["high"], within["high_interventions"]) == (1, 1)
    assert within["p_holm"] < 0.01
    between = table[table["level"] == "between phenomena"]
    assert between["value"].tolist() == pytest.approx([-1, -1])
    assert (between["high"] < -0.9).all()
    assert between["behaviours"].tolist() == ["same", "other"]
    averaged = row(table, level="phenomena averaged")
    assert averaged["value"] == pytest.approx(-1)
    assert averaged["second_setting"] == "mean of a x t, b x t"
    less = row(table, level="within less between")
    assert less["value"] == pytest.approx(2) and less["low"] > 1.8
    means = table[table["level"] == "mean of pairs"].set_index(["first_setting", "behaviours"])
    assert means["value"].to_dict() == pytest.approx({
        ("within phenomenon", ""): 1, ("between phenomena", ""): -1,
        ("between phenomena", "same"): -1, ("between phenomena", "other"): -1,
    })  # fmt: skip


def test_the_score_says_how_far_it_hangs_on_one_intervention():
    """One anchor that both settings have last makes a correlation; the rest agree in nothing."""
    one, other = ("d", "a", "e", "b", "f", "c", "h"), ("a", "b", "c", "d", "e", "f", "h")
    pair = row(scored(setting("a x t", one), setting("b x i", other)), level="between phenomena")
    alone = spearmanr([1, 3, 5, 0, 2, 4], range(6)).statistic
    assert pair["least_without"] == "h" and pair["least"] == pytest.approx(alone)
    assert pair["least"] < pair["value"] < pair["most"]
    mean = row(
        scored(setting("a x t", one), setting("b x i", other)), level="mean of pairs", behaviours=""
    )
    for name in ("least", "least_without", "most", "most_without", "p"):
        assert mean[name] == pair[name]


def test_what_undoes_the_training_is_left_out_of_a_second_score():
    frames = [setting("a x t"), setting("b x i", TRIED[::-1])]
    undone = {"a x t": frozenset("ab"), "b x i": frozenset("b")}
    table = correlations(rankings(pd.concat(frames, ignore_index=True), 50, 0), undone)
    found = row(table, level="between phenomena")
    assert (found["kept"], found["kept_value"]) == (6, pytest.approx(-1))
    few = correlations(
        rankings(pd.concat(frames, ignore_index=True), 50, 0),
        {"a x t": frozenset("abcdef"), "b x i": frozenset()},
    )
    assert np.isnan(row(few, level="between phenomena")["kept_value"])


def test_averages_weigh_settings_alike():
    # of the first phenomenon, what one setting raises the other lowers by as much
    table = scored(setting("a x t"), setting("b x t", TRIED[::-1]), setting("a x i"))
    averaged = row(table, level="phenomena averaged")
    assert averaged["undefined"] == "every intervention changes one of the two alike"
    assert np.isnan(averaged["value"])
    assert row(table, level="within phenomenon")["value"] == pytest.approx(-1)


def test_controls_and_stability_arms_are_not_ranked():
    names = (*TRIED, "filler", "frozen_adapter(knows=random)", "h+continued")
    (ranking,) = rankings(setting("a x t", names), 50, 0)
    assert ranking.interventions == TRIED
    assert ranking.draws.mean(0) == pytest.approx(ranking.change, abs=0.03)


def test_only_what_both_settings_tried_is_ranked_and_too_few_are_told():
    table = scored(setting("a x t"), setting("a x i", ("h", "c", "a", "z")))
    found = row(table, level="between phenomena")
    assert found["interventions"] == 3 and found["value"] == pytest.approx(-1)
    few = row(scored(setting("a x t"), setting("a x i", ("a", "b", "z"))),
              level="between phenomena")  # fmt: skip
    assert few["undefined"] == "too few interventions are in both: 2, and 3 are needed"
    assert np.isnan(few["value"])


def test_an_undefined_setting_is_left_out_and_told():
    table = scored(setting("a x t"), setting("b x t", bare=0.05), setting("a x i"))
    within = row(table, level="within phenomenon")
    assert within["undefined"].startswith("b x t: bare training did not install the behaviour")
    assert row(table, level="phenomena averaged")["second_setting"] == "mean of a x t"
    assert row(table, level="mean of pairs", behaviours="")["pairs"] == 1


def test_a_setting_where_marked_does_not_leak_has_no_order_to_compare():
    frame = setting("b x t")
    kept = frame.assign(verdict=frame["verdict"].mask(frame["arm"] == "marked", "no"))
    within = row(scored(setting("a x t"), kept, setting("a x i")), level="within phenomenon")
    assert within["undefined"] == ("b x t: marked is not above base, so there is nothing to lower")


def test_a_settings_own_panels_are_compared_and_stand_once():
    other = setting("a x t", clusters=6, readout="likelihood")
    table = scored(setting("a x t"), other, setting("a x i"))
    same = row(table, level="same setting")
    assert {same["first_readout"], same["second_readout"]} == {"said", "likelihood"}
    between = row(table, level="between phenomena")
    assert between["first_readout"] == between["second_readout"] == "said"


BASIS = setting("a x t", clusters=6)


def noisy(seed: int) -> pd.DataFrame:
    """Every verdict of an arm `marked+X` drawn anew: no ranking holds from seed to seed."""
    frame = BASIS
    drawn = frame["arm"].str.startswith("marked+")
    chance = np.random.default_rng(seed)
    verdicts = np.where(chance.random(drawn.sum()) < 0.4, "yes", "no")
    return frame.assign(verdict=frame["verdict"].mask(drawn, pd.Series(
        verdicts, index=frame.index[drawn])))  # fmt: skip


def test_reliability_is_the_agreement_between_seeds():
    sure = reliabilities(rankings(setting("a x t"), 50, 0)).iloc[0]
    assert (sure["between_seeds"], sure["reliability"], sure["seeds"]) == (1, 1, 3)
    single = reliabilities(rankings(setting("a x t", seeds=(0,)), 50, 0)).iloc[0]
    assert np.isnan(single["between_seeds"]) and np.isnan(single["reliability"])
    many = [reliabilities(rankings(noisy(seed), 2, 0)).iloc[0] for seed in range(16)]
    assert abs(np.mean([each["between_seeds"] for each in many])) < 0.2
    for each in many:  # Spearman-Brown, for three seeds
        single = each["between_seeds"]
        expected = max(0, 3 * single / (1 + 2 * single))
        assert each["reliability"] == pytest.approx(expected if single > 0 else 0)


def test_noise_gives_wide_intervals_and_p_values_that_hold():
    found = [
        row(scored(noisy(seed), noisy(100 + seed).assign(
            setting="b x t", behaviour="b"), draws=100), level="within phenomenon")
        for seed in range(16)
    ]  # fmt: skip
    assert sum(each["p"] < 0.05 for each in found) <= 3
    assert sum(each["low"] > 0 or each["high"] < 0 for each in found) <= 3
    assert np.mean([each["high"] - each["low"] for each in found]) > 0.8


def test_an_unfinished_seed_is_left_out_of_the_agreement_alone():
    frame = setting("a x t")
    lost = (frame["arm"] == "marked+c") & (frame["seed"] == 2)
    table = reliabilities(rankings(frame[~lost.fillna(False)], 50, 0))
    assert table.iloc[0]["between_seeds"] == pytest.approx(1)
    assert table.iloc[0]["interventions"] == 8
