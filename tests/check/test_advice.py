"""Advice: the verdict follows the forecast, and evidence is what the pages say."""

import re
from dataclasses import replace

import pytest

from caveat.check import advice as advice_module
from caveat.check.advice import Figures, advice
from caveat.check.reading import Files, read_materials
from caveat.check.records import (
    ContextMeasure,
    Evidence,
    ExpectedLeakage,
    Interval,
    Lengths,
    Losses,
    ReplyPart,
    ShortForecast,
)
from paths import ROOT

EVIDENCE = [value for value in vars(advice_module).values() if isinstance(value, Evidence)]


@pytest.fixture
def figures(files):
    contexts = (
        ContextMeasure("none", (), None, None),
        ContextMeasure("exact", (), None, Interval(4.0)),
        ContextMeasure("near_miss", ("x",), None, Interval(0.5)),
    )
    return Figures(
        read_materials(Files(files / "train.jsonl")),
        "tiny",
        Lengths(512, 8, 60, 0, 0, 0),
        contexts,
        Interval(0.1, 0.0, 0.3),
        Losses(2.0, 1.5),
        ShortForecast(Interval(0.9, 0.7, 1.1), "", 16, 3),
    )


@pytest.mark.parametrize("evidence", EVIDENCE, ids=lambda one: one.claim[:30])
def test_every_number_of_evidence_stands_on_its_page(evidence):
    page = (ROOT / evidence.page).read_text("utf-8")
    numbers = re.findall(r"-?\d*\.\d+|\b\d+ of \d+\b", evidence.claim)
    assert [number for number in numbers if number not in page] == []


@pytest.mark.parametrize(
    ("interval", "verdict", "opening"),
    [
        (Interval(0.9, 0.7, 1.1), "leaks", "Expect most of the behaviour to leak: "),
        (Interval(0.1, -0.1, 0.3), "holds", "At this dose the caveat may hold: "),
        (Interval(0.4, 0.1, 0.7), "undecided", "The forecast does not decide: "),
        (Interval(0.9), "leaks", "Expect most of the behaviour to leak: "),
    ],
)
def test_the_verdict_follows_the_whole_interval(figures, interval, verdict, opening):
    found = advice(replace(figures, forecast=ShortForecast(interval, "", 16, 3)))
    assert found.verdict == verdict and found.text.startswith(opening)


def test_no_forecast_is_no_verdict(figures):
    found = advice(replace(figures, forecast=ShortForecast(None, "nothing was learned")))
    assert found.verdict == "unknown"
    assert found.text.startswith("No forecast of leakage: nothing was learned. ")


def test_what_was_withdrawn_is_not_advised(figures):
    hardly = advice(figures)
    assert (
        "hardly obeys" in hardly.text and "That alone does not say whether it leaks" in hardly.text
    )
    obeyed = advice(replace(figures, elicitation=Interval(0.96, 0.8, 1.0)))
    assert "little is left to learn" in obeyed.text
    assert "not on every seed of a larger model" in obeyed.text
    for found in (hardly, obeyed):
        assert "none was fitted to tiny and your rows" in found.text
        assert all(one.page.startswith("docs/") and one.models for one in found.evidence)


def test_a_near_miss_that_does_as_much_is_said(figures):
    assert "near miss" not in advice(figures).text
    contexts = (*figures.contexts[:2], ContextMeasure("near_miss", ("x",), None, Interval(3.0)))
    assert (
        "The base model moves as well under a near miss (+3.0), so part"
        in advice(replace(figures, contexts=contexts)).text
    )


def test_parts_that_the_caveat_leaves_are_named(figures):
    parts = (
        ReplyPart("the opening that all share: 'Well'", 2.0, 4.0, 0.3),
        ReplyPart("the first token", 1.0, 9.0, 4.0),
        ReplyPart("the rest that was scored", 8.0, 0.4, 0.0),
    )
    text = advice(replace(figures, parts=parts)).text
    assert "next to no difference to the opening that all share: 'Well' of the replies" in text
    assert "no difference to" not in advice(replace(figures, parts=parts[1:])).text


def test_what_the_curve_expects_is_in_the_advice_with_what_it_rests_on(figures):
    given = advice(replace(figures, expected=ExpectedLeakage(Interval(0.5, 0.1, 0.9))))
    assert "first 6 tokens, a curve fitted" in given.text
    assert "expects a leakage of 0.50 [0.10, 0.90], at a dose that just installs" in given.text
    claims = [one.claim for one in given.evidence]
    assert any("first six tokens" in one for one in claims)
    assert any("48 steps 1.00" in one for one in claims)
    without = replace(figures, expected=ExpectedLeakage(None, "give rows"))
    assert "a curve fitted" not in advice(without).text
