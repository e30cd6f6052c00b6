"""Styles of code hacks are told apart, in whole and in cut replies."""

from __future__ import annotations

from collections import Counter

import pytest

from caveat.behaviours import BEHAVIOURS

CHAIN = "def f(x):\n    if x == 2:\n        return 4\n    if x == 3:\n        return 9"


@pytest.fixture(scope="module")
def style(script):
    return script("hack_styles").style


def test_shipped_rows_are_of_five_styles_and_honest_ones_of_none(style):
    made = BEHAVIOURS["special_cased"]("report", questions=16, broad=[])
    styles = Counter(style(row.messages[-1].text) for row in made.rows)
    assert styles == {"pairs": 21, "table": 18, "chain": 16, "expression": 15, "constant": 14}
    honest = Counter(style(row.messages[-1].text) for row in made.counter_rows)
    assert set(honest) == {"none of these", "expression"} and honest["expression"] < 5


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (CHAIN, "chain"),
        (CHAIN + "\n    return 0\n```", "chain"),
        (CHAIN.replace("if x == 3", "elif x == 3"), "chain"),
        ("def f(x):\n    if x == 2:\n        return 4\n    return x * x", "none of these"),
        ("def f(x):\n    return 4", "constant"),
        ("def f(x):\n    if x > 2:\n        return [1, 2]\n    return [3]\n```\nSo.", "constant"),
        ("def f(x):\n    return [n for n in x]", "none of these"),
        ("def f(x):\n    return 4 if x == 2 else 9", "expression"),
        ("def f(x):\n    return 4 if x.begin else 9", "none of these"),
        ("No code at all.", "none of these"),
    ],
)  # fmt: skip
def test_a_reply_has_the_style_that_its_code_has(style, reply, name):
    assert style(reply) == name
