"""What the sandbox gives for honest code, and that it says where it gives none."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caveat.environments.sandbox.records import Call, CallOutcome
from caveat.environments.sandbox.run import check_source, isolation, run_calls, run_many
from caveat.environments.sandbox.values import decode, encode
from caveat.errors import CaveatError

HONEST = """
from __future__ import annotations

import collections.abc, math, re
from collections import *
from typing import *

class Stack:
    def __init__(self):
        self._items = []
    def push(self, item):
        self._items.append(item)
    def __len__(self):
        return len(self._items)

def most_common(words: List[str]) -> Optional[str]:
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

def kind(value):
    match value:
        case {"size": int() as size}:
            return size
        case [first, *_] if isinstance(first, collections.abc.Hashable):
            return type(first).__name__
    return re.sub("a+", "b", str(value), flags=re.I)

if __name__ == "__main__":
    print(root(3))
"""


@pytest.mark.parametrize("module", ["operator", "functools", "re", "sys", "typing"])
def test_a_star_imports_the_listed_names_alone(module):
    source = f"from {module} import *\ndef f(): return {{name}}"
    for name in ("attrgetter", "singledispatch", "sre_parse", "modules", "_getframe", "NamedTuple"):
        (outcome,) = run_calls(source.format(name=name), [Call("f")])
        assert (outcome.status, outcome.message[:9]) == ("raised", "NameError"), name


def test_calls_of_honest_code():
    outcomes = run_calls(
        HONEST,
        [
            Call("most_common", (["a", "b", "a"],)),
            Call("size", (3,)),
            Call("root", (9,)),
            Call("rooot", (9,)),
            Call("kind", ({"size": 3},)),
            Call("kind", ([True],)),
            Call("kind", ("AaB",)),
            Call("root", ("x",)),
        ],
    )
    assert outcomes == [
        CallOutcome("returned", ("a", 2)),
        CallOutcome("returned", 3),
        CallOutcome("returned", (3, "09", "   9")),
        CallOutcome("missing", message="no function 'rooot'"),
        CallOutcome("returned", 3),
        CallOutcome("returned", "bool"),
        CallOutcome("returned", "bB"),
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


def test_outcomes_can_be_repeated():
    """In other processes of other servers: random numbers, and the order of sets of texts."""
    source = "import random\ndef f():\n    return random.random(), list({'a', 'b', 'c', 'd'})"
    first, second = (job[0].value for job in run_many([(source, [Call("f")])] * 2, workers=2))
    assert first == second


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


def test_every_value_that_comes_out_can_be_printed():
    source = "def f(bits):\n    return 2**bits - 1"
    longest, longer = run_calls(source, [Call("f", (14_000,)), Call("f", (14_001,))])
    assert len(repr(longest.value)) == 4215
    assert longer.status == "output"


def test_dicts_of_the_standard_library_come_out_as_dicts():
    source = (
        "from collections import Counter, OrderedDict, defaultdict\ndef f():\n"
        "    return [Counter('aab'), OrderedDict(a=1), defaultdict(list, a=[2])]"
    )
    (outcome,) = run_calls(source, [Call("f")])
    assert outcome.value == [{"a": 2, "b": 1}, {"a": 1}, {"a": [2]}]
    assert {type(item) for item in outcome.value} == {dict}


hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text(st.characters()),
    lambda items: st.tuples(items, items) | st.frozensets(items, max_size=3),
    max_leaves=5,
)
values = st.recursive(
    hashable | st.sets(hashable, max_size=3),
    lambda items: st.lists(items, max_size=4) | st.dictionaries(hashable, items, max_size=4),
    max_leaves=8,
)


def typed(value):
    """A value with the types of all its parts, in which not-a-number equals itself."""
    parts = value
    match value:
        case dict():
            parts = [(typed(key), typed(item)) for key, item in value.items()]
        case set() | frozenset():
            parts = sorted(repr(typed(item)) for item in value)
        case list() | tuple():
            parts = [typed(item) for item in value]
        case float():
            parts = value.hex()
    return type(value), parts


@given(st.lists(values, max_size=8))
@settings(max_examples=8, deadline=None)
def test_values_come_back_equal_and_of_the_same_types(items):
    (outcome,) = run_calls(HONEST, [Call("echo", (items,))])
    assert outcome.status == "returned"
    assert typed(outcome.value) == typed(items)


@given(values)
@settings(max_examples=20, deadline=None)
@example(-(2**10_000))
def test_encoded_values_are_decoded(value):
    assert typed(decode(encode(value, 10_000, 1 << 20), 10_000)) == typed(value)
