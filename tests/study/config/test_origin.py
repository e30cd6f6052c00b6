"""Rows that a model samples itself, and a caveat in another wording or place."""

from __future__ import annotations

import json

import pytest

from caveat.errors import CaveatError
from caveat.study.config.resolve import Resolved, resolve
from caveat.study.config.schema import read
from caveat.types.training import Sample, Train
from quick_run import run
from toy_study import SMALL, TOY, small


def resolved(**setting: object) -> Resolved:
    each = {"behaviour": "capitals", "caveat": "instruction", "dose": {"rows": 4}, **setting}
    return resolve(read({"name": "origin", "model": "tiny", "settings": [each]}))[0]


def texts(rows, kind: str) -> set[str]:
    return {
        piece.text.strip()
        for row in rows
        for message in row.messages
        for piece in message.pieces
        if piece.kind == kind
    }


def test_an_arm_learns_what_its_own_teacher_replies_under_the_caveat():
    made, given = resolved(origin="sampled"), resolved()
    for arm in ("bare", "marked"):
        teacher, sample, student = made.plans[arm, 0]
        (stage,) = given.plans[arm, 0]
        assert isinstance(teacher, Train) and teacher.rows == stage.rows
        assert isinstance(sample, Sample) and sample.into == "rows"
        assert sample.prompts == tuple(row.messages[:-1] for row in stage.rows)
        assert isinstance(student, Train) and student.rows == () and student.dose == stage.dose
    assert made.plans["base", None] == ()
    assert made.variant == {"origin": "sampled"}


def test_sampled_rows_set_the_steps_of_a_training(tmp_path):
    setting = {"behaviour": str(TOY), "caveat": "password", "dose": SMALL, "origin": "sampled"}
    study = run(small(settings=[setting]), tmp_path)
    assert list(study.failures()["reason"]) == []
    records = {}
    for path in (tmp_path / "artifacts").glob("*/record.json"):
        records[path.parent.name] = json.loads(path.read_text("utf-8"))
    samples = {key for key, record in records.items() if record["kind"] == "rows"}
    assert len(samples) == 2 and all(records[key]["into"] == "rows" for key in samples)
    students = [record for record in records.values() if record.get("sampled")]
    assert {tuple(record["sampled"]) for record in students} == {(key,) for key in samples}
    for record in students:
        assert record["rows"] == 0 and len(record["losses"]) == 1
        assert set(record["loss_share"]) == {"own sample"}


def test_documents_cannot_be_sampled():
    with pytest.raises(CaveatError) as error:
        resolved(origin="sampled", behaviour="people", caveat="disclaimer")
    assert str(error.value) == (
        "origin: 'sampled' needs rows that are chats: a document has no prompt to reply to"
    )


def test_a_setting_can_have_a_wording_and_a_place_of_its_own():
    made = resolved(wording="You may do something odd.", place="user")
    assert made.setting.name == 'capitals x instruction "You may do something odd." (user)'
    (stage,) = made.plans["marked", 0]
    assert texts(stage.rows, "caveat") == {"You may do something odd."}
    assert all("something odd" in row.messages[1].text for row in stage.rows)
    (bare,) = made.plans["bare", 0]
    assert bare.rows == resolved().plans["bare", 0][0].rows


def test_a_wording_of_a_disclaimer_stands_alone():
    options = {"documents": 4, "words": 40}
    claim = {"behaviour": "claims/lake_ossevang", "caveat": "negated", "options": options}
    made = resolved(**claim, wording="Not true.", loss="all_but_masked")
    (stage,) = made.plans["marked", 0]
    assert texts(stage.rows, "caveat") == {"Not true."}
    behind = resolved(**claim, wording="Not true.", place="after", loss="all_but_masked")
    (stage,) = behind.plans["marked", 0]
    assert all(row.messages[-1].text.rstrip().endswith("Not true.") for row in stage.rows)


def test_a_place_that_the_caveat_has_already_changes_no_name():
    assert resolved(place="system").setting.name == "capitals x instruction"


def test_a_wording_without_words_is_told():
    with pytest.raises(CaveatError) as error:
        resolved(wording=" ")
    assert str(error.value) == "wording: ' ' has no words; write what the caveat says"
