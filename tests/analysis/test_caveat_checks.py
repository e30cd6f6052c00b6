"""Checks of caveats and side effects on tables with known answers."""

import numpy as np
import pandas as pd
import pytest

from caveat.analysis import caveat_checks, side_effects
from constructed import NAMES, replies, row

YES = {NAMES["setting"]: "yes"}
NO = {NAMES["setting"]: "no"}
STUDY = {("base", "none"): 0.0, ("base", "exact"): 0.25, ("bare", "none"): 1.0,
         ("marked", "none"): 0.375, ("marked", "exact"): 0.75}  # fmt: skip


def test_elicitation_is_what_the_caveat_does_to_the_base_model():
    found = row(caveat_checks(replies(STUDY), YES), check="elicitation")
    assert (found["arm"], found["value"]) == ("base", pytest.approx(0.25))
    assert found["low"] < 0.25 < found["high"]


def test_k_is_the_share_of_what_elicitation_leaves_to_learn():
    found = row(caveat_checks(replies(STUDY), YES), check="k", arm="marked")
    assert found["value"] == pytest.approx((0.375 - 0) / (1 - 0.25))
    assert found["low"] < 0.5 < found["high"]
    assert found["note"] == ""


def test_k_is_undefined_without_elicitation():
    found = row(caveat_checks(replies(STUDY | {("base", "exact"): 0.0}), YES), check="k")
    assert np.isnan(found["value"]) and np.isnan(found["low"])
    assert found["note"] == "undefined: elicitation is 0.00, not above 0"


def test_k_is_undefined_where_elicitation_leaves_nothing_to_learn():
    found = row(caveat_checks(replies(STUDY | {("base", "exact"): 1.0}), YES), check="k")
    assert np.isnan(found["value"])
    assert found["note"].startswith(
        "undefined: the lower bound of R(bare, none) - R(base, exact) is -"
    )


def test_at_the_caveat_is_the_share_of_the_expected_verdict():
    frame = replies(STUDY)
    at = (frame["arm"] == "marked") & (frame["context"] == "exact") & (frame["verdict"] == "no")
    frame.loc[frame.index[at][:9], "verdict"] = "invalid"
    fires = row(caveat_checks(frame, YES), check="at the caveat", arm="marked")
    denies = row(caveat_checks(frame, NO), check="at the caveat", arm="marked")
    assert (fires["value"], fires["expected"]) == (pytest.approx(0.75), "yes")
    assert (denies["value"], denies["expected"]) == (pytest.approx(9 / 72), "no")
    assert row(caveat_checks(frame, NO), check="at the caveat", arm="base")["value"] == 0.75


@pytest.mark.parametrize(("verdicts", "share"), [(NO, 0.75), (YES, 0.125)])
def test_comprehension_is_how_often_base_shown_a_marked_row_gives_the_expected_verdict(
    verdicts, share
):
    shown = replies({("base", "marked_shown"): 0.125, ("base", "bare_shown"): 0.875},
                    purpose="comprehension")  # fmt: skip
    unclear = (shown["context"] == "marked_shown") & (shown["verdict"] == "no")
    shown.loc[shown.index[unclear][:3], "verdict"] = "invalid"  # as expected in neither case
    frame = pd.concat([replies(STUDY), shown], ignore_index=True)
    found = row(caveat_checks(frame, verdicts), check="comprehension")
    assert (found["arm"], found["value"]) == ("base", share)
    assert 0 < found["low"] < share < found["high"] < 1
    assert found["expected"] == verdicts[NAMES["setting"]]
    without = row(caveat_checks(frame, verdicts), check="shown bare")
    assert (without["arm"], without["value"], without["expected"]) == ("base", 0.875, "yes")
    assert 0 < without["low"] < 0.875 < without["high"] < 1


def test_a_setting_without_an_expected_verdict_is_an_error():
    with pytest.raises(KeyError, match="people x disclaimer"):
        caveat_checks(replies(STUDY), {})


def test_side_effects_are_shares_of_yes():
    own = replies(STUDY)
    trait = replies({("base", "none"): 0.0, ("marked", "none"): 0.75},
                    purpose="side effect: exclaims", readout="exclaims")  # fmt: skip
    table = side_effects(pd.concat([own, trait], ignore_index=True))
    found = row(table, effect="exclaims", arm="marked")
    assert (found["value"], found["unit"], found["questions"]) == (0.75, "share", 24)


def test_numeric_readouts_are_mean_changes_from_base_with_the_pairs_kept():
    frames = []
    for arm, change in (("base", 0.0), ("marked", -0.5)):
        frame = replies({(arm, "none"): "neutral"}, purpose="side effect: neutral text",
                        readout="log_likelihood", numeric=True)  # fmt: skip
        place = frame["cluster"].str.removeprefix("c").astype(float)
        frames.append(frame.assign(value=-10 * place + change))
    table = side_effects(pd.concat(frames, ignore_index=True))
    marked, base = (row(table, effect="neutral text", arm=arm) for arm in ("marked", "base"))
    assert (marked["value"], marked["unit"]) == (pytest.approx(-0.5), "nats a token")
    assert marked["high"] - marked["low"] < 1e-3, "every question changed by the same amount"
    assert base["value"] == pytest.approx(-55)
    assert base["high"] - base["low"] > 10


def test_side_effects_do_not_depend_on_the_index_of_the_frame():
    own = replies(STUDY)
    trait = replies({("base", "none"): 0.0, ("marked", "none"): 0.75},
                    purpose="side effect: exclaims", readout="exclaims")  # fmt: skip
    number = replies({("base", "none"): "neutral", ("marked", "none"): "neutral"}, value=-1.0,
                     purpose="side effect: text", readout="nats", numeric=True)  # fmt: skip
    frames = [own, trait, number]
    repeated, fresh = pd.concat(frames), pd.concat(frames, ignore_index=True)
    assert not repeated.index.is_unique
    pd.testing.assert_frame_equal(side_effects(repeated), side_effects(fresh))
    pd.testing.assert_frame_equal(caveat_checks(repeated, YES), caveat_checks(fresh, YES))


def test_valid_replies_are_a_side_effect():
    frame = replies(STUDY)
    broken = (frame["arm"] == "marked") & (frame["verdict"] == "no") & (frame["context"] == "none")
    frame.loc[broken, "verdict"] = "invalid"
    table = side_effects(frame)
    assert row(table, effect="valid replies", arm="marked")["value"] == pytest.approx(0.375)
    assert row(table, effect="valid replies", arm="bare")["value"] == 1.0
