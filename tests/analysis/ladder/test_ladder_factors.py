"""Which rungs are a step apart, and which make a square."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from caveat.analysis.ladder.factors import Change, Square, levels, squares, steps

CHAT = {"form": "chat", "caveat": "disclaimer"}
TOLD = {"form": "chat", "caveat": "instruction"}
PAGE = {"form": "document", "caveat": "disclaimer"}
BOTH = {"form": "document", "caveat": "instruction"}

FACTORS = ("form", "caveat", "loss")
RUNGS = st.lists(
    st.fixed_dictionaries(
        {name: st.sampled_from("abc") for name in FACTORS[:2]},
        optional={FACTORS[2]: st.sampled_from("ab")},
    ),
    max_size=8,
)


def test_a_step_goes_from_the_level_named_first_to_the_later_one():
    found = steps([PAGE, CHAT, TOLD])
    assert [(step.change, step.others, step.first, step.second) for step in found] == [
        (Change("form", "document", "chat"), {"caveat": "disclaimer"}, 0, 1),
        (Change("caveat", "disclaimer", "instruction"), {"form": "chat"}, 1, 2),
    ]
    forms = [step for step in steps([PAGE, CHAT, TOLD, BOTH]) if step.change.factor == "form"]
    assert [(step.first, step.second) for step in forms] == [(0, 1), (3, 2)]


def test_rungs_with_other_factors_are_no_steps():
    assert steps([CHAT, {**TOLD, "loss": "reply"}]) == []
    assert steps([CHAT, CHAT]) == [] == steps([CHAT, BOTH])


def test_a_square_has_all_four_corners_and_repetitions_of_them():
    assert squares([PAGE, CHAT, TOLD]) == []
    (square,) = squares([PAGE, CHAT, TOLD, BOTH, CHAT])
    assert square == Square(
        Change("form", "document", "chat"),
        Change("caveat", "disclaimer", "instruction"),
        {},
        (((0,), (3,)), ((1, 4), (2,))),
    )


def test_squares_do_not_mix_what_surrounds_them():
    around = [{**rung, "loss": loss} for loss in ("all", "reply") for rung in (PAGE, CHAT, TOLD)]
    assert [square for square in squares(around) if "loss" in square.others] == []
    whole = [*around, {**BOTH, "loss": "reply"}]
    (square,) = [square for square in squares(whole) if square.others == {"loss": "reply"}]
    assert square.corners == (((3,), (6,)), ((4,), (5,)))


@settings(deadline=None)
@given(RUNGS)
def test_steps_are_the_pairs_that_differ_in_one_factor(rungs):
    found = {(step.first, step.second): step for step in steps(rungs)}
    order = levels(rungs)
    wanted = {
        frozenset(pair)
        for pair in combinations(range(len(rungs)), 2)
        if rungs[pair[0]].keys() == rungs[pair[1]].keys()
        and len(rungs[pair[0]].items() - rungs[pair[1]].items()) == 1
    }
    assert {frozenset(pair) for pair in found} == wanted and len(found) == len(wanted)
    for (first, second), step in found.items():
        change = step.change
        assert rungs[first] == {**step.others, change.factor: change.start}
        assert rungs[second] == {**step.others, change.factor: change.end}
        known = order[change.factor]
        assert known.index(change.start) < known.index(change.end)


@settings(deadline=None)
@given(RUNGS)
def test_every_corner_of_a_square_is_what_it_says(rungs):
    for square in squares(rungs):
        for up, row in zip((square.one.start, square.one.end), square.corners, strict=True):
            for to, corner in zip((square.other.start, square.other.end), row, strict=True):
                assert corner
                for place in corner:
                    levels_there = {square.one.factor: up, square.other.factor: to}
                    assert rungs[place] == {**square.others, **levels_there}
