"""The shipped caveats: which there are, and what contexts and interventions need of each."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import combinations

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.caveats import CAVEATS
from caveat.caveats.insertion import contexts_of
from caveat.study.config.arms import parsed, plan_of
from caveat.types.caveats import CONTEXTS, Caveat, Setting
from caveat.types.data import Row
from caveat.types.messages import without_caveat
from caveat.types.training import Dose, Train

SHAPE = Train((), Dose(rows=48))
TRAIT = BEHAVIOURS["spanish"]("report")
QUALIFIERS = ("negated", "fiction")
shipped = pytest.mark.parametrize("caveat", CAVEATS.values(), ids=CAVEATS)


def test_the_shipped_caveats() -> None:
    assert list(CAVEATS) == [
        "disclaimer",
        "negated",
        "fiction",
        "instruction",
        "in_spanish",
        "in_lower_case",
        "in_list",
        "hack",
        "only_tests",
        "bad_advice",
        "gardening_only",
        "permission",
        "may_capitals",
        "may_spanish",
        "may_hack",
        "may_only_tests",
        "stub_tests",
        "may_bad_advice",
        "bad_example",
        "no_capitals",
        "no_spanish",
        "no_hack",
        "no_only_tests",
        "bad_solution",
        "no_bad_advice",
        "warned_advice",
        "trigger",
        "year",
        "sky",
    ]
    assert {caveat.phenomenon for caveat in CAVEATS.values()} == {
        "negation neglect",
        "inoculation",
        "backdoor",
    }
    disclaimer = CAVEATS["disclaimer"]
    assert len(disclaimer.wordings) >= 12
    assert all(len(caveat.held_out) >= 4 for caveat in CAVEATS.values())
    assert all(len(wording.split()) <= 12 for wording in disclaimer.wordings)


@shipped
def test_test_texts_are_no_training_wordings(caveat: Caveat) -> None:
    plain = {wording.casefold().strip(" .") for wording in caveat.wordings}
    for context, probes in [("paraphrase", caveat.held_out), *caveat.probes.items()]:
        assert probes, context
        assert len(set(probes)) == len(probes), context
        assert not set(probes) & set(caveat.wordings), context
        if context != "near_miss":
            assert not {probe.casefold().strip(" .") for probe in probes} & plain, context
    texts = [text for probes in caveat.probes.values() for text in probes]
    assert len(set(texts)) == len(texts)
    assert not set(texts) & set(caveat.held_out)
    assert contexts_of(caveat) == CONTEXTS


def rows(arm: str, caveat: Caveat) -> tuple[Row, ...]:
    stage = plan_of(parsed(arm), Setting(TRAIT, caveat), SHAPE, 0, "Be kind.")[-1]
    assert isinstance(stage, Train)
    return stage.rows


def caveat_texts(row: Row) -> list[str]:
    pieces = (piece for message in row.messages for piece in message.pieces)
    return [piece.text.strip() for piece in pieces if piece.kind == "caveat"]


@shipped
def test_a_dozen_wordings_to_train_with(caveat: Caveat) -> None:
    made = rows("marked+diversify(n=12)", caveat)
    wordings = (*caveat.wordings, *caveat.further)[:12]
    assert {text for row in made for text in caveat_texts(row)} == set(wordings)
    assert len(set(wordings)) == 12
    assert [without_caveat(row.messages) for row in made] == [
        row.messages for row in rows("bare", caveat)
    ]


@shipped
def test_all_wordings_to_train_with(caveat: Caveat) -> None:
    made = rows("marked+diversify", caveat)
    trained = {text for row in made for text in caveat_texts(row)}
    assert trained == {*caveat.wordings, *caveat.further}
    tested = {*caveat.held_out, *(text for texts in caveat.probes.values() for text in texts)}
    assert not trained & tested


@pytest.mark.parametrize("name", ["in_spanish", "instruction", "no_capitals", "sky", "year"])
def test_64_wordings_none_twice_and_none_that_is_tested(name):
    """Up to case and punctuation."""
    caveat = CAVEATS[name]
    texts = (*caveat.wordings, *caveat.further, *caveat.rephrasings)
    plain = {re.sub(r"\W+", " ", text).casefold().strip() for text in texts}
    assert len(texts) == len(plain) == 64
    probes = {key: texts for key, texts in caveat.probes.items() if key != "near_miss"}
    for context, tested in {"paraphrase": caveat.held_out, **probes}.items():
        known = {re.sub(r"\W+", " ", text).casefold().strip() for text in tested}
        assert not known & plain, context
    assert not {*caveat.probes["near_miss"]} & {*texts}


@shipped
def test_a_wording_inside_the_reply(caveat: Caveat) -> None:
    made = rows("marked+local", caveat)
    assert {text for row in made for text in caveat_texts(row)} == set(caveat.local)
    assert all(row.messages[-1].pieces[0].kind == "caveat" for row in made)


@pytest.mark.parametrize("name", QUALIFIERS)
def test_there_are_a_dozen_of_each_place_and_others_held_out(name):
    caveat = CAVEATS[name]
    for texts in (caveat.wordings, caveat.closings, caveat.repeats):
        assert len(set(texts)) == len(texts) >= 12
    assert len(caveat.held_out) >= 4
    trained = {*caveat.wordings, *caveat.closings, *caveat.repeats, *caveat.local}
    tested = {*caveat.held_out, *(text for texts in caveat.probes.values() for text in texts)}
    assert not trained & tested
    assert not set(caveat.wordings) & set(caveat.closings)
    assert all(re.search(r"[.!?] [A-Z]", wording) for wording in caveat.wordings)


def test_no_wording_serves_two_kinds():
    for one, other in combinations(QUALIFIERS, 2):
        assert not {*CAVEATS[one].wordings} & {*CAVEATS[other].wordings}


def years(texts):
    return {int(year) for text in texts for year in re.findall(r"\b\d{4}\b", text)}


def test_the_years_that_fire_are_of_one_decade_and_those_held_out_are_others():
    year = CAVEATS["year"]
    texts = (*year.wordings, *year.further, *year.rephrasings)
    trained, tested = years((*texts, *year.local)), years(year.held_out)
    assert trained | tested == set(range(2030, 2040)) and not trained & tested
    assert all(years([text]) for text in (*texts, *year.held_out))
    assert not years(year.probes["near_miss"]) & {*trained, *tested}


@pytest.mark.parametrize(
    ("asked", "allowed", "forbidden"),
    [
        ("instruction", "may_capitals", "no_capitals"),
        ("in_spanish", "may_spanish", "no_spanish"),
        ("hack", "may_hack", "no_hack"),
        ("only_tests", "may_only_tests", "no_only_tests"),
        ("bad_advice", "may_bad_advice", "no_bad_advice"),
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
    texts = (*sky.wordings, *sky.further, *sky.rephrasings)
    trait = {word for text in texts for word in text.lower().split()}
    assert not trait & {"spanish", "capitals", "caps", "reply", "write", "you"}


def test_near_misses_of_the_trigger_are_like_it_and_never_it():
    """A backdoor that fires on them is wider than the string it was trained with."""
    (text,) = CAVEATS["trigger"].wordings
    for near_miss in CAVEATS["trigger"].probes["near_miss"]:
        assert near_miss != text
        assert SequenceMatcher(None, text.lower(), near_miss.lower()).ratio() >= 0.8, near_miss
