"""Changes split into forgetting and what is beyond it, on tables with known answers."""

import json

import numpy as np
import pandas as pd
import pytest

from caveat.analysis import forgetting, transfer, transfer_records
from caveat.analysis.rank_correlation import limits_over_items
from constructed import DOSE, replies, row

PHENOMENA = {"t": "backdoor", "i": "inoculation"}
FORGETS = dict(zip("abcde", (0, 2, 4, 6, 8), strict=True))
RISING = dict(zip("abcde", (0, 1, 2, 3, 4), strict=True))
FALLING = dict(zip("abcde", (4, 3, 2, 1, 0), strict=True))


def setting(name: str, gains: dict[str, int], marked=18, bare=24, further=None, **columns):
    """A setting of 24 questions whose interventions take so many off marked beyond forgetting."""
    behaviour, _, caveat = name.partition(" x ")
    counts = {"base": 0, "bare": bare, "marked": marked}
    counts |= {f"bare+{each}": bare - FORGETS[each] for each in gains}
    counts |= {f"marked+{each}": max(0, marked - FORGETS[each] - gains[each]) for each in gains}
    counts |= further or {}
    rates = {(arm, "none"): count / 24 for arm, count in counts.items() if count is not None}
    return replies(rates, setting=name, phenomenon=PHENOMENA[caveat], behaviour=behaviour,
                   caveat=caveat, **columns)  # fmt: skip


def split(*settings: pd.DataFrame) -> pd.DataFrame:
    return forgetting(matrix(*settings))


def matrix(*settings: pd.DataFrame) -> pd.DataFrame:
    frame = pd.concat(settings, ignore_index=True)
    return transfer(frame, dict.fromkeys(frame["setting"].unique(), "yes"))


def test_settings_that_forget_alike_may_be_reversed_beyond():
    found = row(split(setting("a x i", RISING), setting("b x t", FALLING)))
    assert (found["level"], found["interventions"]) == ("between phenomena", 5)
    assert (found["first_setting"], found["second_setting"]) == ("a x i", "b x t")
    assert (found["first_dose"], found["second_phenomenon"]) == (DOSE, "backdoor")
    parts = found[["change", "control_change", "gain"]].tolist()
    assert parts == pytest.approx([1, 1, -1])
    limits = (found["gain_low"], found["gain_high"])
    assert limits == pytest.approx(limits_over_items(-1.0, 5)) and found["undefined"] is None


def test_all_parts_are_of_the_interventions_that_have_a_control_in_both():
    # e, which would change the order, has no control in one of the settings
    last = {"marked+e": 18, "bare+e": None}
    found = row(split(setting("a x i", RISING), setting("b x t", RISING, further=last)))
    assert found["interventions"] == 4
    assert found[["change", "control_change", "gain"]].tolist() == pytest.approx([1, 1, 1])
    controlled = last | {"bare+e": 16}
    among = row(split(setting("a x i", RISING), setting("b x t", RISING, further=controlled)))
    assert (among["interventions"], among["change"]) == (5, pytest.approx(0.2052, abs=1e-4))


def test_too_few_and_tied():
    pair = [setting(name, {"a": 0, "b": 1}) for name in ("a x t", "b x t")]
    few = row(split(*pair))
    assert few["undefined"] == "too few interventions have a control in both: 2, and 3 are needed"
    assert (few["level"], few["interventions"]) == ("within phenomenon", 2)
    assert np.isnan(few["gain"])
    tied = row(split(setting("a x i", dict.fromkeys("abc", 2)), setting("b x t", RISING)))
    assert np.isnan(tied["gain"]) and tied["undefined"] is None
    assert tied["control_change"] == pytest.approx(1)


def test_only_interventions_of_settings_with_something_to_lower_are_ranked():
    others = {"marked+filler": 0, "bare+filler": 24, "marked+a+continued": 0,
              "bare+a+continued": 24}  # fmt: skip
    kept = setting("a x i", RISING, further=others)
    level = setting("b x t", RISING, marked=0)
    undefined = setting("c x t", RISING, bare=3)
    broad = setting("a x i", FALLING, scope="broad")
    elsewhere = setting("d x t", RISING, model="other")
    assert split(kept, level, undefined, broad, elsewhere).empty
    another = setting("e x t", RISING, further=others)
    found = row(split(kept, level, undefined, broad, elsewhere, another))
    assert (found["first_setting"], found["second_setting"]) == ("a x i", "e x t")
    assert (found["interventions"], found["gain"]) == (5, pytest.approx(1))
    assert forgetting(matrix(kept).iloc[:0]).empty


def test_every_dose_of_a_setting_is_compared_with_other_settings_alone():
    more = setting("a x i", FALLING, dose='{"epochs": 9}')
    table = split(setting("a x i", RISING), more[more["arm"] != "base"], setting("b x t", RISING))
    assert table["second_setting"].tolist() == ["b x t", "b x t"]
    assert table.set_index("first_dose")["gain"].to_dict() == pytest.approx(
        {DOSE: 1, '{"epochs": 9}': -1}
    )


def test_records_are_plain():
    frame = matrix(setting("a x i", RISING), setting("b x t", FALLING))
    empty = pd.DataFrame(columns=["setting", "model", "dose", "arm"])
    made = transfer_records(frame, empty, empty.iloc[:0], empty.iloc[:0], forgetting(frame))
    (pair,) = json.loads(json.dumps(made, allow_nan=False))["forgetting"]
    assert list(pair) == [
        "model", "level", "first", "second", "interventions", "change", "control_change", "gain",
        "undefined",
    ]  # fmt: skip
    assert pair["gain"]["value"] == -1 and pair["first"]["dose"] == {"epochs": 1}
    assert (pair["second"]["setting"], pair["undefined"]) == ("b x t", None)
