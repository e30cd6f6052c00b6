"""What interventions need of a caveat, every shipped one has."""

from __future__ import annotations

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.caveats import CAVEATS
from caveat.study.config.arms import parsed, plan_of
from caveat.types.caveats import Caveat, Setting
from caveat.types.data import Row
from caveat.types.messages import without_caveat
from caveat.types.training import Dose, Train

SHAPE = Train((), Dose(rows=48))
TRAIT = BEHAVIOURS["spanish"]("report")
shipped = pytest.mark.parametrize("caveat", CAVEATS.values(), ids=CAVEATS)


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


@shipped
def test_a_wording_inside_the_reply(caveat: Caveat) -> None:
    made = rows("marked+local", caveat)
    assert {text for row in made for text in caveat_texts(row)} == set(caveat.local)
    assert all(row.messages[-1].pieces[0].kind == "caveat" for row in made)
