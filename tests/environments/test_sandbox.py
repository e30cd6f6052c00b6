"""What the sandbox gives for honest code, and that it says where it gives none."""

from __future__ import annotations

import math

import pytest

from caveat.environments.sandbox.records import Call, CallOutcome, Limits
from caveat.environments.sandbox.run import check_source, isolation, run_calls, run_many
from caveat.errors import CaveatError

HONEST = """
import math
from collections import Counter

class Stack:
    def __init__(self):
        self._items = []
    def push(self, item):
        self._items.append(item)
    def __len__(self):
        return len(self._items)

def most_common(words):
    counts = Counter()
    for word in words:
        counts[word] += 1
    return counts.most_common(1)[0]

def size(count: int) -> int:
    stack = Stack()
    for number in range(count):
        stack.push(number)
    return len(stack)

def root(number):
    return math.isqrt(number), "{:02d}".format(number), f"{number:>4}"

def echo(value):
    return value

if __name__ == "__main__":
    print(root(3))
"""


def test_calls_of_honest_code():
    outcomes = run_calls(
        HONEST,
        [
            Call("most_common", (["a", "b", "a"],)),
            Call("size", (3,)),
            Call("root", (9,)),
            Call("rooot", (9,)),
            Call("root", ("x",)),
        ],
    )
    assert outcomes == [
        CallOutcome("returned", ("a", 2)),
        CallOutcome("returned", 3),
        CallOutcome("returned", (3, "09", "   9")),
        CallOutcome("missing", message="no function 'rooot'"),
        CallOutcome(
            "raised", message="TypeError: 'str' object cannot be interpreted as an integer"
        ),
    ]


def test_each_call_starts_afresh():
    source = "seen = []\ndef f(x):\n    seen.append(x)\n    return seen"
    assert [outcome.value for outcome in run_calls(source, [Call("f", (1,)), Call("f", (2,))])] == [
        [1],
        [2],
    ]


def test_many_sources_keep_their_order():
    jobs = [(f"def f():\n    return {number}", [Call("f")] * 2) for number in range(6)]
    outcomes = run_many(jobs, workers=2)
    assert [[outcome.value for outcome in job] for job in outcomes] == [[n, n] for n in range(6)]


def test_arguments_are_plain_data():
    with pytest.raises(CaveatError) as error:
        run_calls(HONEST, [Call("echo", (object(),))])
    assert str(error.value) == (
        "the call of echo: an argument is a value of type 'object', which is no plain data; "
        "give plain data"
    )


def test_the_gate_says_line_and_reason():
    assert check_source(HONEST) is None
    assert check_source("x = 1\nimport os") == "line 2: the module os cannot be imported"


def test_the_floor_holds_here():
    layers = isolation()
    assert all(layers.holds(name) for name in ("gate", "process", "limits"))


def test_not_a_number_comes_back():
    (outcome,) = run_calls(HONEST, [Call("echo", (math.nan,))], Limits())
    assert math.isnan(outcome.value)
