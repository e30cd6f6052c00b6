"""The transfer matrix on tables with known answers."""

import json

import numpy as np
import pandas as pd
import pytest

from caveat.analysis import (
    correlations,
    forgetting,
    rankings,
    reliabilities,
    transfer,
    transfer_effects,
    transfer_records,
)
from caveat.analysis.transfer.arms import continued_from, role
from caveat.analysis.transfer.matrix import METRICS, WORDS
from caveat.report.transfer_matrix import MARKS
from constructed import DOSE, NAMES, replies, row
from paths import DOCS

SETTING = NAMES["setting"]
WANTED = {SETTING: "yes"}
RATES = {
    ("base", "none"): 0.0, ("base", "exact"): 0.0, ("base", "near_miss"): 0.0,
    ("bare", "none"): 1.0, ("bare", "exact"): 1.0,
    ("marked", "none"): 0.75, ("marked", "exact"): 1.0, ("marked", "near_miss"): 0.875,
}  # fmt: skip


def tried(rates, name="x", **columns) -> pd.Series:
    """The one row of the matrix where `marked+x` is among the arms."""
    return row(transfer(replies(RATES | rates, **columns), WANTED), intervention=name)


def test_changes_are_differences_of_rates_and_of_leakage():
    found = tried({("bare", "none"): 0.75, ("marked", "none"): 0.5, ("marked+x", "none"): 0.125})
    assert found["change"] == pytest.approx(-0.375)
    assert found["leakage_change"] == pytest.approx(-0.5)
    for name in ("change", "leakage_change", "rate"):
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]
    assert (found["rate"], found["leaks"], found["valid"]) == (0.125, 0.5, 1.0)
    assert (found["role"], found["primary"], found["interval"]) == ("intervention", True, "seeds")


def test_what_it_does_to_a_model_that_saw_no_caveat_is_taken_off():
    found = tried({("marked+x", "none"): 0.25, ("bare+x", "none"): 0.625})
    assert found["control"] == "bare+x"
    assert found["against_control"] == pytest.approx(0.25 - 0.625)
    assert found["control_change"] == pytest.approx(0.625 - 1.0)
    assert found["gain"] == pytest.approx((0.25 - 0.75) - (0.625 - 1.0))


def test_the_dose_is_the_filler_and_near_misses_and_the_caveat_stand_beside():
    rates = {("marked+x", "none"): 0.25, ("marked+filler", "none"): 0.5}
    rates |= {("marked+x", "exact"): 0.75, ("marked+x", "near_miss"): 0.5}
    found = tried(rates)
    assert found["against_filler"] == pytest.approx(-0.25)
    assert (found["at_caveat"], found["at_caveat_change"], found["loses"]) == (0.75, -0.25, True)
    assert found["near_miss"] == pytest.approx(0.5)
    filler = tried(rates, "filler")
    assert not filler["loses"]  # not asked at the caveat
    assert filler["role"] == "control" and np.isnan(filler["against_filler"])
    assert np.isnan(filler["near_miss"])  # not asked


def test_at_the_caveat_the_wanted_verdict_counts():
    frame = replies(RATES | {("marked+x", "none"): 0.25, ("marked+x", "exact"): 0.25})
    found = row(transfer(frame, {SETTING: "no"}), intervention="x")
    assert (found["at_caveat"], found["at_caveat_change"]) == (0.75, 0.75)


@pytest.mark.parametrize(
    ("rates", "word"),
    [
        ({("marked+x", "none"): 0.0, ("bare+x", "none"): 1.0}, "remedy"),
        ({("marked+x", "none"): 0.25, ("bare+x", "none"): 0.5}, "forgets"),
        ({("marked+x", "none"): 0.25}, "unclear"),
        ({("marked+x", "none"): 12 / 24, ("bare+x", "none"): 23 / 24}, "unclear"),
        ({("marked+x", "none"): 0.5, ("bare+x", "none"): 0.75}, "forgets"),
        ({("marked+x", "none"): 0.75}, "no effect seen"),
        ({("marked", "none"): 0.5, ("marked+x", "none"): 1.0}, "worse"),
        ({("marked", "none"): 0.0, ("marked+x", "none"): 0.0}, "nothing to lower"),
        ({("bare", "none"): 0.125, ("marked+x", "none"): 0.0}, "undefined"),
    ],
)
def test_verdicts(rates, word):
    assert tried(rates)["verdict"] == word
    assert word in WORDS


def test_a_change_that_correction_takes_away_is_no_effect():
    one = RATES | {("marked+x", "none"): 10 / 24}
    alone = row(transfer(replies(one), WANTED), intervention="x")
    assert alone["p"] == alone["p_holm"] < 0.05
    assert alone["verdict"] == "unclear"
    many = one | {(f"marked+{letter}", "none"): 0.75 for letter in "abcdefghijklmnop"}
    among = row(transfer(replies(many), WANTED), intervention="x")
    assert among["p_holm"] == pytest.approx(17 * among["p"]) and among["p_holm"] > 0.05
    assert among["verdict"] == "not once corrected"
    raised = {("marked", "none"): 0.0, ("marked+x", "none"): 5 / 24}
    assert tried(one | raised | dict.fromkeys(many.keys() - one.keys(), 0.0))["verdict"] == (
        "not once corrected"
    )


def test_an_arm_that_answers_as_marked_does_changes_nothing_and_has_a_width():
    bare = {("bare", "none"): 0.875, ("bare+x", "none"): 0.875}
    found = tried({("marked+x", "none"): 0.75, **bare})
    for name in ("change", "leakage_change", "gain", "control_change"):
        assert found[name] == 0
    for name in ("change", "leakage_change"):
        assert found[f"{name}_low"] < -0.05 and found[f"{name}_high"] > 0.05
    assert (found["p"], found["gain_p"]) == (1.0, 1.0)


def test_an_intervention_whose_control_lost_the_behaviour_undoes_the_training():
    kept = tried({("marked+x", "none"): 0.0, ("bare+x", "none"): 0.125})
    gone = tried({("marked+x", "none"): 0.0, ("bare+x", "none"): 1 / 24})
    assert (kept["undoes"], gone["undoes"]) == (False, True)
    assert not tried({("marked+x", "none"): 0.0})["undoes"]  # no control


def test_controls_may_be_given():
    frame = replies(RATES | {("marked+x", "none"): 0.25, ("bare+x", "none"): 0.25})
    place = (SETTING, DOSE, "marked+x")
    bare = transfer(frame, WANTED, {place: "bare"}).iloc[0]
    assert bare["control"] == "bare"
    assert bare["gain"] == bare["change"] and bare["gain_p"] == bare["p"]
    assert (bare["control_change"], bare["verdict"]) == (0.0, "remedy")
    nothing = transfer(frame, WANTED, {place: None}).iloc[0]
    assert (nothing["control"], nothing["verdict"]) == ("", "unclear")
    assert np.isnan(nothing["gain"]) and np.isnan(nothing["gain_p_holm"])
    later = transfer(frame, WANTED, {place: "bare+later"}).iloc[0]
    assert later["control"] == ""  # not run yet


def test_undefined_leakage_leaves_the_rates():
    found = tried({("bare", "none"): 0.125, ("marked+x", "none"): 0.25})
    assert found["undefined"].startswith("bare training did not install the behaviour")
    assert np.isnan(found["leakage_change"]) and np.isnan(found["near_miss"])
    assert found["change"] == pytest.approx(-0.5)


def test_an_arm_that_is_not_finished_is_told():
    frame = replies(RATES | {("marked+x", "exact"): 1.0, ("marked+y", "none"): 0.25})
    table = transfer(frame, WANTED)
    unfinished = row(table, intervention="x")
    assert unfinished["undefined"] == "marked+x was not tested in the context 'none'"
    assert (unfinished["verdict"], unfinished["at_caveat"]) == ("undefined", 1.0)
    assert row(table, intervention="y")["undefined"] is None
    alone = transfer(frame[frame["arm"] != "marked"], WANTED)
    assert set(alone["undefined"]) == {"marked was not tested in the context 'none'"}
    assert set(alone["verdict"]) == {"undefined"}


def test_without_an_intervention_there_is_no_matrix():
    frame = replies(RATES)
    assert transfer(frame, WANTED).empty and rankings(frame, 100, 0) == []
    assert correlations([]).empty and reliabilities([]).empty


def test_stability_arms_are_held_against_the_arm_that_they_go_on_from():
    further = "marked+x+continued(on=filler)"
    rates = {("marked+x", "none"): 0.0, (further, "none"): 0.5}
    found = tried(rates, "x+continued(on=filler)")
    assert (found["role"], found["reverting"], found["change"]) == ("stability", 0.5, -0.25)
    assert np.isnan(tried(rates)["reverting"])


def test_roles_are_read_off_names():
    assert role("contrast+diversify(n=12)") == "intervention"
    assert role("frozen_adapter") == role("frozen_adapter(knows=behaviour)") == "intervention"
    assert role("filler") == role("filler(share=0.5)") == "control"
    assert role("frozen_adapter(knows=random)") == "control"
    assert role("contrast+filler") == "intervention"
    assert role("continued") == role("seal+continued(on=bare)") == "stability"
    assert continued_from("marked+seal+continued(on=bare)") == "marked+seal"
    assert continued_from("marked+seal") is None


def test_the_panel_with_most_clusters_stands_for_its_setting():
    frame = pd.concat([
        replies(RATES | {("marked+x", "none"): 0.25}),
        replies(RATES | {("marked+x", "none"): 0.5}, clusters=4, readout="a likelihood"),
        replies(RATES | {("marked+x", "none"): 0.5}, clusters=24, scope="broad"),
    ], ignore_index=True)  # fmt: skip
    table = transfer(frame, WANTED).set_index(["readout", "scope"])["primary"]
    assert table.to_dict() == {
        ("said", "trained"): True, ("a likelihood", "trained"): False, ("said", "broad"): False,
    }  # fmt: skip


def test_the_page_on_transfer_names_every_figure_and_verdict():
    page = (DOCS / "transfer.md").read_text("utf-8")
    assert [each for each in (*METRICS, *WORDS) if f"`{each}`" not in page] == []
    assert [mark for mark in MARKS.values() if f"| {mark} |" not in page] == []


def effect_rows(rates: dict, name: str, **columns) -> pd.DataFrame:
    frame = replies(rates, purpose=f"side effect: {name}", **columns)
    return frame.assign(question="s" + frame["question"])


def test_side_effects_have_their_change_from_marked():
    shares = {("base", "none"): 0.0, ("marked", "none"): 1.0, ("marked+x", "none"): 0.5}
    nats = effect_rows(dict.fromkeys(shares, "neutral"), "text", readout="likely", numeric=True)
    nats["value"] = nats["arm"].map({"base": -2.0, "marked": -2.25, "marked+x": -3.0})
    table = transfer_effects(pd.concat([effect_rows(shares, "opener"), nats], ignore_index=True))
    opener, text = (row(table, effect=name) for name in ("opener", "text"))
    assert (opener["value"], opener["change"], opener["unit"]) == (0.5, -0.5, "share")
    assert opener["change_low"] < -0.5 < opener["change_high"] < 0 and opener["distinguishable"]
    assert (text["value"], text["change"], text["unit"]) == (-3.0, -0.75, "nats a token")
    assert set(table["arm"]) == {"marked+x"}


def test_records_are_plain_and_hold_no_nan():
    shares = {("base", "none"): 0.0, ("marked", "none"): 1.0, ("marked+x", "none"): 0.5}
    frame = pd.concat([
        replies(RATES | {("marked+x", "none"): 0.25}), effect_rows(shares, "opener"),
    ], ignore_index=True)  # fmt: skip
    ranked = rankings(frame, 100, 0)
    matrix = transfer(frame, WANTED)
    made = transfer_records(
        matrix, transfer_effects(frame), correlations(ranked), reliabilities(ranked),
        forgetting(matrix),
    )  # fmt: skip
    (cell,) = json.loads(json.dumps(made, allow_nan=False))["matrix"]
    assert cell["change"]["value"] == -0.5 and set(cell["change"]) == {"value", "low", "high"}
    assert cell["gain"] is None and cell["control"] is None and cell["undefined"] is None
    assert cell["dose"] == {"epochs": 1} and cell["verdict"] == "unclear"
    names = [each["effect"] for each in cell["side_effects"]]
    assert names == ["opener", "valid replies"]
    assert cell["side_effects"][0]["change"]["value"] == -0.5
    assert made["reliability"][0]["interventions"] == 1
    assert made["correlations"] == made["forgetting"] == []
