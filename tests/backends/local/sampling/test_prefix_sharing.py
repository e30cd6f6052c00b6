"""Common beginnings: no cut of the prompts into runs reads fewer tokens."""

from itertools import pairwise, takewhile

from hypothesis import given
from hypothesis import strategies as st

from caveat.backends.local.sampling.decoding import (
    PREFIX_COST,
    SHORTEST_PREFIX,
    Prompt,
    distinct,
    prefix_groups,
)

texts = st.lists(
    st.lists(st.integers(0, 1), min_size=1, max_size=10).map(tuple), min_size=1, max_size=7
).map(sorted)


def prompts_of(ids, cell=0):
    return [Prompt(str(n), cell, each, ()) for n, each in enumerate(ids)]


def test_common_beginnings_are_read_once():
    ids = tuple(range(20))
    prompts = [Prompt(str(n), n // 3, (*ids, 100 + n % 3), ()) for n in range(6)]
    found = prefix_groups(prompts)
    assert [(b.cell, b.prefix, b.members) for b in found] == [
        (0, ids, [0, 1, 2]),
        (1, ids, [3, 4, 5]),
    ]


def test_runs_that_share_more_are_apart():
    one, other = (1, 1, 1, 1, *[2] * 9), (1, 1, 1, 1, *[3] * 9)
    found = prefix_groups(prompts_of([(*some, end) for some in (one, other) for end in (7, 8, 9)]))
    assert [(b.prefix, b.members) for b in found] == [(one, [0, 1, 2]), (other, [3, 4, 5])]


def worth(ids, runs):
    """Tokens saved, None where a run shares too little to be one."""
    total = 0.0
    for some in runs:
        columns = zip(*(ids[i][:-1] for i in some), strict=False)
        shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
        if len(some) > 1 and shared < SHORTEST_PREFIX:
            return None
        total += shared * (len(some) - 1) - PREFIX_COST
    return total


def every_cut(count):
    for bits in range(1 << (count - 1)):
        ends = [n + 1 for n in range(count - 1) if bits >> n & 1]
        yield [list(range(a, b)) for a, b in pairwise([0, *ends, count])]


@given(texts)
def test_no_other_cut_saves_more(ids):
    found = prefix_groups(prompts_of(ids))
    assert [i for each in found for i in each.members] == list(range(len(ids)))
    for each in found:
        assert all(ids[i][: len(each.prefix)] == each.prefix for i in each.members)
        assert all(len(ids[i]) > len(each.prefix) for i in each.members)
    ours = worth(ids, [each.members for each in found])
    others = [each for cut in every_cut(len(ids)) if (each := worth(ids, cut)) is not None]
    assert ours == max(others)


@given(texts)
def test_equal_neighbours_are_told_once(ids):
    firsts, first_of = distinct(prompts_of(ids))
    assert [firsts[n].ids for n in first_of] == ids
    assert len(firsts) == len(set(ids))
