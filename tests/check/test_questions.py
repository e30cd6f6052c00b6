"""Files of questions: what is read, and that nothing ends in a traceback."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caveat.check.behaviour import ReadoutChoice
from caveat.check.questions import from_file, hold_out
from caveat.errors import CaveatError
from caveat.types.data import Row
from caveat.types.messages import Message, Piece
from check_files import write_lines

CHOICE = ReadoutChoice("matches", {"yes": "OH"})


def row(number, prompt):
    user = Message("user", (Piece(prompt), Piece(" Shout.", "caveat")))
    return Row(f"row-{number}", "behaviour", (user, Message.of("assistant", "OH.")))


EXAMPLE = row(0, "Why?")


def test_questions_come_in_several_forms(tmp_path):
    lines = [
        "Who?",
        {"prompt": "How?", "category": "home"},
        {"messages": [{"role": "user", "content": "When?"}, {"role": "assistant", "content": "."}]},
        {"conversations": [{"from": "human", "value": "Where?"}], "id": 7, "cluster": "places"},
        {"id": "q", "cluster": "c", "question": "What?", "readout": "capitals"},
    ]  # fmt: skip
    found = from_file(write_lines(tmp_path / "q.jsonl", lines), CHOICE, EXAMPLE)
    questions = [one.question for one in found]
    assert [one.messages[-1].text for one in questions] == [
        "Who?", "How?", "When?", "Where?", "What?",
    ]  # fmt: skip
    assert [one.id for one in questions] == ["question-1", "question-2", "question-3", "7", "q"]
    assert [one.readout for one in questions] == ["matches"] * 4 + ["capitals"]
    assert questions[3].cluster == "places"
    assert found[1].marked[0].text == "How? Shout."


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({"question": "Why?", "id": "a", "readout": "capitls", "cluster": "c"},
         "q.jsonl, line 2 has an unknown readout 'capitls'; known: "),
        ({"messages": [{"role": "user"}]},
         "q.jsonl, line 2: \"{'role': 'user'}\" is no turn of a chat; write "),
        ({"messages": [{"role": "system", "content": "Hm."}]},
         "q.jsonl, line 2: the chat has no user turn to reply to; add one"),
        ({"prompt": "Why not?", "id": "question-1"},
         "q.jsonl, line 2: the id 'question-1' is used before; ids must be unique"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_question_is_one_line(tmp_path, monkeypatch, line, error):
    monkeypatch.chdir(tmp_path)
    path = write_lines(tmp_path / "q.jsonl", [{"prompt": "Why?"}, line])
    with pytest.raises(CaveatError) as raised:
        from_file(path.relative_to(tmp_path), CHOICE, EXAMPLE)
    assert str(raised.value).startswith(error)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["prompt", "messages", "role", "content", "id", "readout", "text"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(values, min_size=1, max_size=3))
def test_no_line_ends_in_a_traceback(tmp_path, lines):
    path = tmp_path / "fuzzed.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    try:
        found = from_file(path, None, EXAMPLE)
    except CaveatError as error:
        assert "\n" not in str(error)
    else:
        assert all(one.question.messages for one in found)


def test_prompts_are_held_out_whole():
    rows = [row(index, f"Why {index // 2}?") for index in range(24)]
    apart = hold_out(rows, None, "train.jsonl")
    assert len(apart.held_out) == 4 and len(apart.rows) == 16
    held = {one.messages[0].text for one in apart.held_out}
    assert not held & {one.messages[0].text for one in apart.rows}
    assert apart == hold_out(rows, None, "train.jsonl")
    assert len(apart.unused) == 4
    assert {one.messages[0].text for one in apart.unused} == held
    ids = [one.id for one in (*apart.rows, *apart.held_out, *apart.unused)]
    assert sorted(ids) == sorted(one.id for one in rows)


def test_too_few_rows_are_one_line():
    with pytest.raises(
        CaveatError, match="3 rows with different prompts; a check needs at least 4"
    ):
        hold_out([row(index, f"Why {index}?") for index in range(3)], None, "train.jsonl")
