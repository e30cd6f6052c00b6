"""Which arm is an intervention's control, by what training makes of them."""

from __future__ import annotations

import pytest

from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.planning.study_plan import study_plan
from caveat.study.versions import controls

CHAT = {"behaviour": "capitals", "caveat": "instruction", "dose": {"rows": 8}}
CLAIM = {"behaviour": "claims/lake_ossevang", "caveat": "negated", "options": {"documents": 8}}


def found(setting: dict, *interventions: str, more: tuple[str, ...] = ()) -> dict:
    arms = ["base", "bare", "marked", *(f"marked+{each}" for each in interventions), *more]
    recipe = read({"name": "c", "model": "tiny", "arms": arms, "settings": [setting]})
    (planned,) = study_plan(recipe, resolve(recipe), "tiny").settings
    return controls(planned, "tiny")


@pytest.mark.parametrize("setting", [CHAT, CLAIM])
def test_where_only_the_caveat_is_changed_bare_is_the_control(setting):
    names = ("repeat", "diversify(n=8)", "place(where=after)")
    assert found(setting, *names) == {f"marked+{name}": "bare" for name in names}


def test_local_has_bare_as_control_where_a_reply_begins_with_it_and_none_where_rows_deny():
    assert found(CHAT, "local") == {"marked+local": "bare"}
    assert found(CLAIM, "local") == {"marked+local": None}


def test_what_changes_the_bare_rows_too_has_a_control_of_its_own_or_none_that_is_known():
    assert found(CHAT, "contrast", "frozen_adapter") == {}
    own = ("bare+contrast", "bare+repeat")
    assert found(CHAT, "contrast", "repeat", more=own) == {
        "marked+contrast": "bare+contrast", "marked+repeat": "bare+repeat",
    }  # fmt: skip
