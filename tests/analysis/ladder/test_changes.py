"""Steps, effects and interactions on rates that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from caveat.analysis import transfer
from caveat.analysis.differences import holm
from caveat.analysis.ladder.behaviour_panels import behaviour_panels
from caveat.analysis.ladder.changes import Changes
from caveat.analysis.rates import verdicts
from constructed import replies, row
from laddered import Made, ladder_of, replies_of

PAGE, CHAT = {"form": "document"}, {"form": "chat"}


def factors(content: str, caveat: str) -> dict[str, str]:
    return {"content": content, "caveat": caveat}


SQUARE = [
    Made("people x disclaimer", factors("claim", "disclaimer"), marked=0.875),
    Made("people x instruction", factors("claim", "instruction"), marked=0.75),
    Made("capitals x disclaimer", factors("trait", "disclaimer"), marked=0.375, bare=0.75),
    Made("capitals x instruction", factors("trait", "instruction"), marked=0.125, bare=0.75),
]


@pytest.fixture(scope="module")
def square():
    return ladder_of(SQUARE)


def one_step(made: list[Made]) -> pd.Series:
    (found,) = ladder_of(made).steps.to_dict("records")
    return pd.Series(found)


def test_a_step_is_the_difference_of_two_leakages_and_of_two_rates(square):
    step = row(square.steps, factor="caveat", first_setting="capitals x disclaimer")
    assert (step["start"], step["end"], step["second_setting"]) == (
        "disclaimer", "instruction", "capitals x instruction",
    )  # fmt: skip
    assert (step["first"], step["second"], step["others"]) == (3, 4, '{"content": "trait"}')
    assert step["leakage_change"] == pytest.approx((0.125 - 0.375) / 0.75)
    assert step["rate_change"] == pytest.approx(0.125 - 0.375)
    for name in ("leakage_change", "rate_change"):
        assert step[f"{name}_low"] < step[name] < step[f"{name}_high"] < 0
        assert step[f"{name}_p"] < 0.05
    assert (step["paired"], step["undefined"], step["interval"]) == (True, None, "seeds")
    assert len(square.steps) == 4
    assert not row(square.steps, factor="content", start="claim", first=1)["paired"]


def test_settings_of_two_behaviours_differ_as_if_independent(square):
    """Zou and Donner's limits for the difference of two figures with limits of their own."""
    step = row(square.steps, factor="content", first=1)
    first, second = (row(square.settings, number=number) for number in (1, 3))
    down = np.hypot(second["leakage"] - second["leakage_low"],
                    first["leakage_high"] - first["leakage"])  # fmt: skip
    up = np.hypot(second["leakage_high"] - second["leakage"],
                  first["leakage"] - first["leakage_low"])  # fmt: skip
    assert step["leakage_change"] - step["leakage_change_low"] == pytest.approx(down)
    assert step["leakage_change_high"] - step["leakage_change"] == pytest.approx(up)


def _width(step: pd.Series) -> float:
    return step["leakage_change_high"] - step["leakage_change_low"]


def test_settings_of_one_behaviour_are_paired():
    """Questions that differ move both settings alike, which leaves their difference where it is."""
    clustered = {"clusters": 24, "questions": 1}
    made = [
        Made("a x one", PAGE, marked=0.5, columns=clustered),
        Made("a x two", CHAT, marked=0.625, columns=clustered),
    ]
    together = one_step(made)
    apart = one_step([made[0], Made("b x two", CHAT, marked=0.625, columns=clustered)])
    assert together["leakage_change"] == apart["leakage_change"] == pytest.approx(0.125)
    assert _width(together) < 0.95 * _width(apart)
    assert (together["paired"], apart["paired"]) == (True, False)


def test_settings_of_one_bare_arm_are_one_ratio():
    """The change of leakage is then what an intervention's would be in one setting."""
    made = [Made("a x one", PAGE, marked=0.75, bare=0.875),
            Made("a x two", CHAT, marked=0.375, bare=0.875)]  # fmt: skip
    step = one_step(made)
    tried = made[0].rates | {("marked+x", "none"): 0.375}
    same = transfer(replies(tried, setting="a x one"), {"a x one": "yes"}).iloc[0]
    for end in ("", "_low", "_high"):
        assert step[f"leakage_change{end}"] == pytest.approx(same[f"leakage_change{end}"])
        assert step[f"rate_change{end}"] == pytest.approx(same[f"change{end}"])
    assert step["leakage_change_p"] == step["rate_change_p"]


def test_settings_of_two_bare_arms_are_two_ratios():
    made = [Made("a x one", PAGE, marked=0.5, bare=0.5), Made("a x two", CHAT, marked=0.5)]
    step = one_step(made)
    assert step["leakage_change"] == pytest.approx(0.5 - 0.5 / 0.5) and step["paired"]
    assert step["leakage_change_low"] < step["leakage_change"] < step["leakage_change_high"] < 0
    assert step["rate_change"] == 0 and step["leakage_change_p"] < 0.05 < step["rate_change_p"]


def test_settings_that_answer_alike_do_not_differ_and_have_a_width():
    step = one_step([Made("a x one", PAGE, marked=0.5), Made("a x two", CHAT, marked=0.5)])
    assert (step["leakage_change"], step["rate_change"]) == (0, 0)
    assert (step["leakage_change_p"], step["rate_change_p"]) == (1, 1)
    assert step["leakage_change_low"] < -0.02 and step["leakage_change_high"] > 0.02


def test_a_p_value_is_the_level_at_which_the_interval_reaches_0():
    made = [Made("a x one", PAGE, marked=0.375), Made("b x two", CHAT, marked=0.875)]
    far, near = one_step(made), one_step([made[0], Made("b x two", CHAT, marked=12 / 24)])
    assert far["leakage_change_low"] > 0 and far["leakage_change_p"] < 0.05
    assert near["leakage_change_low"] < 0 and 0.05 < near["leakage_change_p"] < 1
    assert far["rate_change_low"] > 0 and far["rate_change_p"] < 0.05 < near["rate_change_p"]
    for each in (far, near):
        assert each["leakage_change_p_holm"] == each["leakage_change_p"]


def test_a_step_from_an_undefined_leakage_keeps_its_rates():
    step = one_step([Made("a x one", PAGE, marked=0.125, bare=0.125),
                     Made("b x two", CHAT, marked=0.75)])  # fmt: skip
    assert step["undefined"].startswith("a x one: bare training did not install the behaviour: ")
    assert np.isnan(step["leakage_change"]) and np.isnan(step["leakage_change_p_holm"])
    assert step["rate_change"] == pytest.approx(0.625) and step["rate_change_low"] > 0
    assert step["interval"] == "seeds"


def test_an_effect_is_the_mean_of_its_steps(square):
    caveat = row(square.effects, factor="caveat")
    steps = square.steps[square.steps["factor"] == "caveat"]
    assert (caveat["pairs"], caveat["rate_pairs"], caveat["undefined"]) == (2, 2, None)
    for name in ("leakage_change", "rate_change"):
        assert caveat[name] == pytest.approx(steps[name].mean())
        widths = steps[f"{name}_high"] - steps[f"{name}_low"]
        width = caveat[f"{name}_high"] - caveat[f"{name}_low"]
        assert width == pytest.approx(np.hypot(*widths) / 2, rel=0.05)  # two behaviours
    assert caveat["leakage_change_p_holm"] == pytest.approx(
        holm(square.effects["leakage_change_p"])[list(square.effects["factor"]).index("caveat")]
    )


def test_an_effect_leaves_out_pairs_without_leakage():
    undefined = [*SQUARE[:3], Made("capitals x instruction", SQUARE[3].factors, 0.0, bare=0.0)]
    caveat = row(ladder_of(undefined).effects, factor="caveat")
    assert (caveat["pairs"], caveat["rate_pairs"]) == (1, 2)
    assert caveat["leakage_change"] == pytest.approx(0.75 - 0.875)
    content = row(ladder_of(undefined[2:]).effects, factor="caveat")
    assert content["undefined"] == "no pair has a leakage at both ends"
    assert content["rate_change"] == pytest.approx(-0.375)


def test_an_interaction_is_the_difference_of_differences(square):
    (found,) = square.interactions.to_dict("records")
    assert (found["first_factor"], found["first_start"], found["first_end"]) == (
        "content", "claim", "trait",
    )  # fmt: skip
    assert (found["second_factor"], found["settings"], found["others"]) == (
        "caveat", "1, 2, 3, 4", "{}",
    )  # fmt: skip
    at_instruction, at_disclaimer = 0.125 / 0.75 - 0.75, 0.375 / 0.75 - 0.875
    assert found["leakage_change"] == pytest.approx(at_instruction - at_disclaimer)
    assert found["rate_change"] == pytest.approx((0.125 - 0.75) - (0.375 - 0.875))
    assert found["leakage_change_low"] < found["leakage_change"] < found["leakage_change_high"]
    assert found["undefined"] is None


def test_an_interaction_without_a_corner_says_which():
    lacking = [*SQUARE[:3], Made("capitals x instruction", SQUARE[3].factors, 0.0, bare=0.0)]
    (found,) = ladder_of(lacking).interactions.to_dict("records")
    assert found["undefined"].startswith("capitals x instruction: bare training did not install")
    assert np.isnan(found["leakage_change"]) and not np.isnan(found["rate_change"])


def test_correction_is_over_all_steps_of_a_study(square):
    p = square.steps["leakage_change_p"]
    assert list(square.steps["leakage_change_p_holm"]) == pytest.approx(list(holm(p)))
    assert list(holm(np.array([0.01, np.nan, 0.02, 0.5])))[::2] == [0.03, 0.04]
    assert np.isnan(holm(np.array([0.01, np.nan]))[1])


def test_the_order_of_replies_changes_nothing(square):
    frame = replies_of(SQUARE).sample(frac=1, random_state=1)
    again = Changes(square.settings, behaviour_panels(verdicts(frame), square.settings)).steps()
    pd.testing.assert_frame_equal(again, square.steps)


def test_few_seeds_are_named_in_the_interval():
    two = {"seeds": (0, 1)}
    step = one_step([Made("a x one", PAGE, 0.5, columns=two), Made("b x two", CHAT, 0.75)])
    assert step["interval"] == "within seed"
