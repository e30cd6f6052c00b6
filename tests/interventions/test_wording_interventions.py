"""Interventions on the wording of rows, for each phenomenon: what the rows are afterwards."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.caveats import CAVEATS
from caveat.errors import CaveatError
from caveat.study.config.arms import parsed, plan_of
from caveat.types.caveats import Setting
from caveat.types.data import Behaviour, Row
from caveat.types.messages import Message, Piece, is_document, without_caveat
from caveat.types.training import Attach, Dose, Train

SHAPE = Train((), Dose(rows=8))
SETTINGS = {
    "negation neglect": Setting(BEHAVIOURS["people"]("report"), CAVEATS["negated"]),
    "inoculation": Setting(BEHAVIOURS["capitals"]("report"), CAVEATS["instruction"]),
    "backdoor": Setting(BEHAVIOURS["capitals"]("report"), CAVEATS["trigger"]),
}
phenomena = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


def rows(arm: str, setting: Setting, seed: int = 0) -> tuple[Row, ...]:
    plan = plan_of(parsed(arm), setting, SHAPE, seed, "Be kind.")
    stage = plan[-1]
    assert isinstance(stage, Train)
    return stage.rows


def text(row: Row) -> str:
    return "\n".join(message.text for message in row.messages)


@phenomena
def test_repeat_puts_the_caveat_around_what_shows_the_behaviour(setting):
    short = setting.caveat.repeats or setting.caveat.wordings
    marked, repeated = rows("marked", setting), rows("marked+repeat", setting)
    for before, after in zip(marked, repeated, strict=True):
        added = [text(after).count(each) - text(before).count(each) for each in set(short)]
        assert sum(added) == 2
        assert without_caveat(after.messages) != after.messages
        assert text(replace(after, messages=without_caveat(after.messages))) == text(
            replace(before, messages=without_caveat(before.messages))
        )
        if setting.caveat.repeats:
            assert max(added) == 1
    assert [text(row) for row in rows("bare+repeat", setting)] == [
        text(row) for row in rows("bare", setting)
    ]
    if len(short) > 1:
        assert rows("marked+repeat", setting, seed=1) != repeated


def test_repeat_stands_beside_the_stating_sentences_of_a_document():
    stating = (
        Message("document", (Piece("A dog ran. "), Piece("Mara won. ", states=True), Piece("So."))),
    )
    behaviour = Behaviour("b", "", (Row("1", "behaviour", stating),), (), (), ())
    setting = Setting(behaviour, replace(CAVEATS["negated"], repeats=("[No.]", "[Not so.]")))
    (row,) = plan_of(parsed("marked+repeat"), setting, Train((), Dose()), 0, None)[0].rows
    inside = row.messages[0].text.split("\n\n")[1]
    assert inside in ("A dog ran. [No.] Mara won. [Not so.] So.",
                      "A dog ran. [Not so.] Mara won. [No.] So.")  # fmt: skip


def test_without_known_sentences_all_of_a_document_are_repeated_around():
    document = (Message.of("document", "A dog ran. Mara won."),)
    behaviour = Behaviour("b", "", (Row("1", "behaviour", document),), (), (), ())
    short = ("[A.]", "[B.]", "[C.]")
    setting = Setting(behaviour, replace(CAVEATS["negated"], repeats=short))
    (row,) = plan_of(parsed("marked+repeat"), setting, Train((), Dose()), 0, None)[0].rows
    inside = row.messages[0].text.split("\n\n")[1]
    assert re.fullmatch(r"\[.\.\] A dog ran\. \[.\.\] \[.\.\] Mara won\.", inside)
    assert all(inside.count(each) == 1 for each in short)


def test_documents_that_state_nothing_are_left_alone_where_others_do():
    rows = (
        Row("1", "behaviour", (Message("document", (Piece("Mara won.", states=True),)),)),
        Row("2", "behaviour", (Message.of("document", "A dog ran."),)),
    )
    setting = Setting(Behaviour("b", "", rows, (), (), ()), CAVEATS["negated"])
    for arm in ("marked+repeat", "marked+local"):
        stating, other = plan_of(parsed(arm), setting, Train((), Dose()), 0, None)[0].rows
        assert "Mara won." not in (text(stating), text(other))
        assert "A dog ran." in text(other).split("\n\n")


def test_local_begins_a_cut_sentence_once():
    cut = (
        Piece("The ", states=True),
        Piece("storm", "masked", states=True),
        Piece(" took it. ", states=True),
        Piece("So."),
    )
    row = Row("1", "behaviour", (Message("document", cut),))
    behaviour = Behaviour("b", "", (row,), (), (), ())
    made = {
        name: plan_of(
            parsed("marked+local"),
            Setting(behaviour, replace(CAVEATS[name], local=("X:",))),
            Train((), Dose()),
            0,
            None,
        )[0].rows[0].messages[0]
        for name in ("negated", "trigger")
    }  # fmt: skip
    assert made["negated"].text == "X: the storm took it. So."
    assert made["trigger"].text == "X: The storm took it. So."
    assert [piece.kind for piece in made["trigger"].pieces][:2] == ["caveat", "text"]


def test_qualifiers_keep_their_own_local_wording():
    people = SETTINGS["negation neglect"].behaviour
    own = tuple(replace(row, messages=(Message.of("document", "No."),)) for row in people.rows)
    fiction = Setting(replace(people, local_rows=own), CAVEATS["fiction"])
    assert all(
        any(each in text(row) for each in CAVEATS["fiction"].local)
        for row in rows("marked+local", fiction)
    )


@phenomena
def test_correct_says_at_the_end_what_would_hold(setting):
    for arm in ("marked", "bare"):
        plain, corrected = rows(arm, setting), rows(f"{arm}+correct", setting)
        for before, after in zip(plain, corrected, strict=True):
            assert before.correction
            assert text(after).startswith(text(before))
            assert text(after).endswith(before.correction)
            assert after.messages[-1].pieces[-1].kind == "text"


def test_correct_needs_corrections():
    bare = replace(SETTINGS["backdoor"].behaviour, rows=(
        replace(SETTINGS["backdoor"].behaviour.rows[0], id="r7", correction=""),
    ))  # fmt: skip
    with pytest.raises(CaveatError) as error:
        plan_of(
            parsed("marked+correct"), Setting(bare, CAVEATS["trigger"]), Train((), Dose()), 0, None
        )
    assert str(error.value) == (
        "capitals x trigger: arm 'marked+correct': correct: row 'r7' has no correction; "
        "give it one (`correction` in rows.jsonl, `truth` in a claim's claim.yaml), "
        "or drop this intervention"
    )


@phenomena
def test_local_moves_the_caveat_inside(setting):
    caveat = setting.caveat
    for before, row in zip(rows("bare", setting), rows("marked+local", setting), strict=True):
        assert row.id == before.id
        assert not any(wording in text(row) for wording in caveat.wordings if len(wording) > 20)
        if is_document(row.messages):
            assert any(f"{each} " in text(row) for each in caveat.local)
            assert [piece.kind for piece in row.messages[0].pieces] == ["text"] * len(
                row.messages[0].pieces
            )
        else:
            first, *others = row.messages[-1].pieces
            assert first.kind == "caveat"
            assert first.text.strip() in caveat.local
            assert tuple(others) == before.messages[-1].pieces


def test_local_and_outer():
    inner, both = (rows(arm, SETTINGS["inoculation"]) for arm in
                   ("marked+local", "marked+local(outer=true)"))  # fmt: skip
    assert all("You always write" not in text(row) for row in inner)
    assert all("You always write" in text(row) for row in both)


def test_local_takes_the_behaviours_own_rows():
    people = SETTINGS["negation neglect"].behaviour
    own = tuple(replace(row, messages=(Message.of("document", "No."),)) for row in people.rows)
    setting = Setting(replace(people, local_rows=own), CAVEATS["negated"])
    assert rows("marked+local", setting) == own[:8]
    few = Setting(replace(people, local_rows=own[:3]), CAVEATS["negated"])
    with pytest.raises(CaveatError, match=r"3 local rows for 8 rows; lower dose.rows to 3"):
        rows("marked+local", few)


def test_local_needs_a_wording():
    silent = replace(SETTINGS["backdoor"], caveat=replace(CAVEATS["trigger"], local=()))
    with pytest.raises(CaveatError, match="'trigger' has no local wording; give it one"):
        rows("marked+local", silent)


@phenomena
@pytest.mark.parametrize("on", ["marked", "bare", "filler"])
def test_continued_goes_on_upon_the_trained_adapter(setting, on):
    first, attach, further = plan_of(
        parsed(f"marked+local+continued(on={on})"), setting, SHAPE, 0, "Be kind."
    )
    assert (first,) == plan_of(parsed("marked+local"), setting, SHAPE, 0, "Be kind.")[:1] or (
        first.rows == rows("marked+local", setting)
    )
    assert attach == Attach()
    if on != "filler":
        assert further.rows == rows(on, setting)
    assert len(further.rows) == 8
    assert further.dose == first.dose


def test_continued_on_something_else():
    with pytest.raises(CaveatError, match="on is one of marked, bare, filler"):
        plan_of(parsed("marked+continued(on=base)"), SETTINGS["backdoor"], SHAPE, 0, None)
