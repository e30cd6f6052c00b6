"""Interventions are functions from plan to plan; those that add rows leave the others alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveat.behaviours import BEHAVIOURS
from caveat.caveats import CAVEATS
from caveat.errors import CaveatError
from caveat.interventions import INTERVENTIONS
from caveat.interventions.base import Materials
from caveat.types.caveats import Setting
from caveat.types.data import Behaviour, Row
from caveat.types.messages import Message
from caveat.types.training import Attach, Dose, Train


def rows(source: str, count: int) -> tuple[Row, ...]:
    return tuple(
        Row(f"{source}-{i}", source, (Message.of("user", "a"), Message.of("assistant", f"{i}")))
        for i in range(count)
    )


BEHAVIOUR = Behaviour("b", "", rows("behaviour", 12), rows("counter", 12), rows("filler", 12), ())
MATERIALS = Materials(
    Setting(BEHAVIOUR, CAVEATS["trigger"]),
    BEHAVIOUR.rows,
    BEHAVIOUR.counter_rows,
    BEHAVIOUR.filler_rows,
    seed=0,
    ordinary=rows("ordinary", 12),
)
ADDING = ("contrast", "filler")
WARM, MAIN = Train(rows("warm", 3), Dose()), Train(BEHAVIOUR.rows, Dose(epochs=2))


@pytest.mark.parametrize("name", ADDING)
@given(share=st.floats(0.01, 1.0))
def test_rows_are_added_to_the_last_training_and_nothing_else_changes(name, share):
    warm, attach, main = INTERVENTIONS[name]((WARM, Attach(), MAIN), MATERIALS, share=share)
    assert (warm, attach) == (WARM, Attach())
    assert (main.rows, main.dose, main.loss) == (MAIN.rows, MAIN.dose, MAIN.loss)
    assert len(main.added) == max(1, round(share * 12))


def test_filler_adds_as_many_rows_as_contrast():
    for share in (0.25, 0.5, 1.0):
        added = [
            len(INTERVENTIONS[name]((MAIN,), MATERIALS, share=share)[0].added)
            for name in ("contrast", "filler")
        ]
        assert added[0] == added[1]


@pytest.mark.parametrize("name", ADDING)
def test_what_cannot_be_added_is_told(name):
    with pytest.raises(CaveatError, match="share must be above 0"):
        INTERVENTIONS[name]((MAIN,), MATERIALS, share=0.0)
    with pytest.raises(CaveatError, match=r"needs 24 rows .* there are 12; at most share=1"):
        INTERVENTIONS[name]((MAIN,), MATERIALS, share=2.0)


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_base_has_no_interventions(name):
    with pytest.raises(CaveatError, match="'base' has no interventions"):
        INTERVENTIONS[name]((), MATERIALS)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_shipped_behaviours_have_rows_enough_for_every_intervention(behaviour):
    made = BEHAVIOURS[behaviour]("report")
    assert len(made.counter_rows) >= len(made.rows)
    assert len(made.filler_rows) >= len(made.rows)
