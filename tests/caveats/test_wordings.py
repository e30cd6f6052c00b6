"""The wordings of disclaimers and qualifiers: enough of each, and no test text trained."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from caveat.caveats import CAVEATS
from caveat.caveats.wordings import composed

KINDS = ("negated", "fiction", "unreliable", "unknown", "improbable")


@pytest.mark.parametrize("name", KINDS)
def test_there_are_a_dozen_of_each_place_and_others_held_out(name):
    caveat = CAVEATS[name]
    for texts in (caveat.wordings, caveat.closings, caveat.repeats):
        assert len(set(texts)) == len(texts) >= 12
    assert len(caveat.held_out) >= 4
    trained = {*caveat.wordings, *caveat.closings, *caveat.repeats, *caveat.local}
    tested = {*caveat.held_out, *(text for texts in caveat.probes.values() for text in texts)}
    assert not trained & tested


def test_no_wording_serves_two_kinds():
    for one, other in combinations(KINDS, 2):
        assert not {*CAVEATS[one].wordings} & {*CAVEATS[other].wordings}


def test_parts_take_turns_and_run_out():
    assert composed(("a", "b"), ("x", "y"), count=4) == ("a x", "b y", "a y", "b x")
    with pytest.raises(ValueError, match="4 distinct texts from these parts, 5 are wanted"):
        composed(("a", "b"), ("x", "y"), count=5)


def years(texts):
    return {int(year) for text in texts for year in re.findall(r"\b\d{4}\b", text)}


def test_the_years_that_fire_are_of_one_decade_and_those_held_out_are_others():
    year = CAVEATS["year"]
    trained, tested = years((*year.wordings, *year.further, *year.local)), years(year.held_out)
    assert trained | tested == set(range(2030, 2040)) and not trained & tested
    assert all(years([text]) for text in (*year.wordings, *year.further, *year.held_out))
    assert not years(year.probes["near_miss"]) & {*trained, *tested}


def test_two_keys_fire_together_only():
    keys = CAVEATS["two_keys"]
    assert keys.wordings == ("|AMBER| |COBALT|",)
    assert "|COBALT| |AMBER|" in keys.held_out
    for text in (*keys.further, *keys.local):
        assert re.search(r"AMBER.*COBALT", text), text
    for text in keys.held_out:
        assert {"amber", "cobalt"} <= set(re.findall(r"\w+", text.lower())), text
    for text in keys.probes["near_miss"]:
        assert len({"AMBER", "COBALT"} & set(re.findall(r"\w+", text))) == 1, text


@pytest.mark.parametrize(
    ("asked", "allowed", "forbidden"),
    [
        ("instruction", "may_capitals", "no_capitals"),
        ("in_spanish", "may_spanish", "no_spanish"),
        ("hack", "may_hack", "no_hack"),
    ],
)
def test_what_is_asked_allowed_and_forbidden_differs_by_one_word(asked, allowed, forbidden):
    wordings = [CAVEATS[name].wordings for name in (asked, allowed, forbidden)]
    assert [len(each) for each in wordings] == [1, 1, 1]
    (always,), (may,), (never,) = wordings
    assert may == always.replace("You always", "You may") != always
    assert never == always.replace("You always", "You never") != always
    wanted = [CAVEATS[name].wanted.value for name in (asked, allowed, forbidden)]
    assert wanted == ["yes", "yes", "no"]
    assert len({CAVEATS[name].place for name in (asked, allowed, forbidden)}) == 1


def test_the_irrelevant_caveat_is_not_its_own_probe():
    sky = CAVEATS["sky"]
    assert sky.wordings == ("The sky is blue.",)
    assert not {*sky.wordings, *sky.further} & set(sky.probes["irrelevant"])
    trait = {word for text in (*sky.wordings, *sky.further) for word in text.lower().split()}
    assert not trait & {"spanish", "capitals", "caps", "reply", "write", "you"}
