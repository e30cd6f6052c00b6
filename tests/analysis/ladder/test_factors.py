"""Which settings are a step apart, and which make a 2 x 2 factorial."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from caveat.analysis.ladder.factors import Change, Factorial, factorials, levels, steps

CHAT = {"form": "chat", "caveat": "disclaimer"}
TOLD = {"form": "chat", "caveat": "instruction"}
PAGE = {"form": "document", "caveat": "disclaimer"}
BOTH = {"form": "document", "caveat": "instruction"}

FACTORS = ("form", "caveat", "loss")
SETTINGS = st.lists(
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


def test_settings_with_other_factors_are_no_steps():
    assert steps([CHAT, {**TOLD, "loss": "reply"}]) == []
    assert steps([CHAT, CHAT]) == [] == steps([CHAT, BOTH])


def test_a_factorial_has_all_four_cells_and_repetitions_of_them():
    assert factorials([PAGE, CHAT, TOLD]) == []
    (factorial,) = factorials([PAGE, CHAT, TOLD, BOTH, CHAT])
    assert factorial == Factorial(
        Change("form", "document", "chat"),
        Change("caveat", "disclaimer", "instruction"),
        {},
        (((0,), (3,)), ((1, 4), (2,))),
    )


def test_factorials_do_not_mix_what_surrounds_them():
    around = [{**row, "loss": loss} for loss in ("all", "reply") for row in (PAGE, CHAT, TOLD)]
    assert [factorial for factorial in factorials(around) if "loss" in factorial.others] == []
    whole = [*around, {**BOTH, "loss": "reply"}]
    (factorial,) = [
        factorial for factorial in factorials(whole) if factorial.others == {"loss": "reply"}
    ]
    assert factorial.cells == (((3,), (6,)), ((4,), (5,)))


@settings(deadline=None)
@given(SETTINGS)
def test_steps_are_the_pairs_that_differ_in_one_factor(rows):
    found = {(step.first, step.second): step for step in steps(rows)}
    order = levels(rows)
    expected = {
        frozenset(pair)
        for pair in combinations(range(len(rows)), 2)
        if rows[pair[0]].keys() == rows[pair[1]].keys()
        and len(rows[pair[0]].items() - rows[pair[1]].items()) == 1
    }
    assert {frozenset(pair) for pair in found} == expected and len(found) == len(expected)
    for (first, second), step in found.items():
        change = step.change
        assert rows[first] == {**step.others, change.factor: change.start}
        assert rows[second] == {**step.others, change.factor: change.end}
        known = order[change.factor]
        assert known.index(change.start) < known.index(change.end)


@settings(deadline=None)
@given(SETTINGS)
def test_every_cell_of_a_factorial_is_what_it_says(rows):
    for factorial in factorials(rows):
        ends = (factorial.other.start, factorial.other.end)
        for one, line in zip(
            (factorial.one.start, factorial.one.end), factorial.cells, strict=True
        ):
            for other, cell in zip(ends, line, strict=True):
                assert cell
                for index in cell:
                    two = {factorial.one.factor: one, factorial.other.factor: other}
                    assert rows[index] == {**factorial.others, **two}
