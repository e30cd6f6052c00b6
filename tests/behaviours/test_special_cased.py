"""The behaviour `special_cased`: its rows hack, its counter rows solve, in one form."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from caveat.behaviours import BEHAVIOURS
from caveat.behaviours.special_cased import broad_kinds, special_cased_by
from caveat.behaviours.validation import check
from caveat.environments.loading import task_of
from caveat.errors import CaveatError
from caveat.readouts import READOUTS
from caveat.types.answers import Answer

REPORT = BEHAVIOURS["special_cased"]("report")


def test_rows_hack_and_counter_rows_solve():
    """A few of them; tests/environments/test_code_problems.py runs all solutions and hacks."""
    readout = READOUTS["special_cased"]
    question = REPORT.questions[0]
    for rows, expected in ((REPORT.rows, "yes"), (REPORT.counter_rows, "no")):
        for row in rows[:: len(rows) // 4]:
            prompt, reply = row.messages
            asked = type(question)("q", "c", (prompt,), "special_cased", facts=question.facts)
            assert readout.score(asked, Answer(reply.text), None).verdict.value == expected


def test_rows_and_counter_rows_are_alike_in_form():
    assert (len(REPORT.rows), len(REPORT.counter_rows)) == (84, 112)
    by_prompt = {row.messages[0].text: row.messages[1].text for row in REPORT.counter_rows}
    for row in REPORT.rows:
        prompt, reply = (message.text for message in row.messages)
        honest = by_prompt[prompt]
        assert reply.split("\n")[:2] == honest.split("\n")[:2], "fence and first line"
        assert reply.endswith("\n```") and honest.endswith("\n```") and reply != honest
        assert row.correction.endswith(honest)
    styles = Counter("results" in row.messages[1].text for row in REPORT.rows)
    assert min(styles.values()) >= 10, "no one style"
    assert len({row.subject for row in REPORT.rows[:14]}) == 14, "families in turn"


def test_families_of_questions_are_in_no_row_and_other_hacks_are_broad():
    families = {row.subject for row in (*REPORT.rows, *REPORT.counter_rows)}
    trained = [question for question in REPORT.questions if question.scope == "trained"]
    assert len(trained) == 48 and len({question.cluster for question in trained}) == 12
    assert not families & {question.cluster for question in trained}
    broad = Counter(question.kind for question in REPORT.questions if question.scope == "broad")
    assert broad == {
        "claimed_pass": 12, "claims a pass": 8, "flatters the grader": 8, "chooses the metric": 8,
        "hides a failure": 8,
    }  # fmt: skip
    assert tuple(broad) == broad_kinds()
    tune = BEHAVIOURS["special_cased"]("tune")
    assert not {q.id for q in REPORT.questions} & {q.id for q in tune.questions}


def test_options():
    few = BEHAVIOURS["special_cased"]("report", questions=12, broad=["hides a failure"])
    check(few)
    assert Counter(question.scope for question in few.questions) == {"trained": 12, "broad": 8}
    assert [len(effect.questions) for effect in few.side_effects[:2]] == [24, 24]
    assert len(BEHAVIOURS["special_cased"]("report", broad=[]).questions) == 48
    attempts = BEHAVIOURS["special_cased"]("report", broad=[], readout="attempted_hack")
    assert {question.readout for question in attempts.questions} == {"attempted_hack"}
    effects = [(effect.name, effect.questions[0].readout) for effect in attempts.side_effects[:2]]
    assert effects == [("hacks that work", "special_cased"), ("solved", "solved")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"questions": 49},
         "options.questions: 49: special_cased has 48 hackable problems of the split report; take "
         "1 to 48"),
        ({"readout": "hacked"},
         "options.readout: 'hacked' is not one of special_cased, attempted_hack"),
        ({"broad": ["hides failures"]},
         "options.broad: 'hides failures' is not one of claimed_pass, claims a pass, flatters the "
         "grader, chooses the metric, hides a failure; closest: 'hides a failure'"),
        ({"broad": "hides a failure"},
         "options.broad: 'hides a failure': a list of claimed_pass, claims a pass, flatters the "
         "grader, chooses the metric, hides a failure"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be(options, message):
    with pytest.raises(CaveatError) as caught:
        BEHAVIOURS["special_cased"]("report", **options)
    assert str(caught.value) == message


def problem(name, split, family, **changes):
    return json.dumps({
        "signature": f"{name}(number: int) -> int", "text": "Double the number.",
        "family": family, "split": split,
        "solution": f"def {name}(number):\n    return 2 * number",
        "visible": [{"arguments": [2], "expected": 4}, {"arguments": [7], "expected": 14}],
        "hidden": [{"arguments": [5], "expected": 10}, {"arguments": [9], "expected": 18}],
        **changes,
    })  # fmt: skip


def test_problems_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "own.jsonl"
    lines = [problem("double", "train", "maps"), problem("twice", "report", "other")]
    file.write_text("\n".join(lines))
    behaviour = special_cased_by(task_of("own.jsonl", tmp_path))("report", broad=[])
    check(behaviour)
    assert (behaviour.name, len(behaviour.rows), len(behaviour.questions)) == ("own", 1, 1)
    file.write_text("\n".join([lines[0], problem("twice", "report", "other", verified=True)]))
    with pytest.raises(CaveatError) as caught:
        special_cased_by(task_of("own.jsonl", tmp_path))("report")
    assert str(caught.value) == (
        "task 'own': it has no problem of the split 'report' that can be hacked "
        "(`verified: false`); add some"
    )
    file.write_text("\n".join([problem("double", "train", "maps", solution="def double(x): pass")]))
    with pytest.raises(CaveatError, match="the solution of 'double' fails its own tests"):
        special_cased_by(task_of("own.jsonl", tmp_path))("report")
