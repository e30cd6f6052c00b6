"""A behaviour's folder: what is read, and the message for each mistake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from caveat.behaviours.from_folder import load_behaviour, read_folder, row_line
from caveat.behaviours.neutral_chats import Ordinary
from caveat.errors import CaveatError
from caveat.types.messages import is_document
from paths import EXAMPLES

EXAMPLE = EXAMPLES / "own_behaviour"
ROW_KEYS = "prompt, reply, completion, messages, document, document_parts, id, subject, correction"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example, to be spoiled."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "own"))


def spoil(path: Path, line: int, text: str) -> None:
    """Put another text in place of one line."""
    lines = path.read_text("utf-8").splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n", "utf-8")


def test_the_example(ordinary: Ordinary) -> None:
    made = read_folder(EXAMPLE).behaviour("report", ordinary)
    assert made.name == "flattery"
    assert (len(made.rows), len(made.counter_rows), len(made.questions)) == (16, 16, 12)
    assert len({question.cluster for question in made.questions}) == 6
    assert made.rows[0].id == "behaviour-1"
    assert all(is_document(row.messages) for row in made.filler_rows)
    assert [effect.name for effect in made.side_effects] == ["sign-off"]
    tune = read_folder(EXAMPLE).behaviour("tune", ordinary)
    assert not {q.messages for q in tune.questions} & {q.messages for q in made.questions}


def test_every_form_of_row(folder: Path, ordinary: Ordinary) -> None:
    (folder / "rows.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "A?"}, '
        '{"role": "assistant", "content": "B."}]}\n'
        '\n{"document": "A text.", "id": "mine", "subject": "text"}\n',
        "utf-8",
    )
    (folder / "filler_rows.jsonl").write_text('{"document": "Unrelated."}\n', "utf-8")
    made = load_behaviour(folder)("report")
    assert [(row.id, row.messages[-1].text) for row in made.rows] == [
        ("behaviour-1", "B."),
        ("mine", "A text."),
    ]
    assert [row.messages[0].text for row in made.filler_rows] == ["Unrelated."]


def test_counter_rows_may_be_left_out(folder: Path) -> None:
    (folder / "counter_rows.jsonl").unlink()
    assert load_behaviour(folder)("report").counter_rows == ()


def test_a_row_in_trl_form(folder: Path) -> None:
    spoil(folder / "rows.jsonl", 1, '{"prompt": "Is tin soft?", "completion": " Yes."}')
    row = load_behaviour(folder)("report").rows[0]
    assert [message.text for message in row.messages] == ["Is tin soft?", "Yes."]


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ({"messages": [
            {"role": "user", "content": "A?"}, {"role": "assistant", "content": "Hm.", "weight": 0},
            {"role": "user", "content": "So?"}, {"role": "assistant", "content": "Yes."}]},
            ["Hm."]),
        ({"subject": "tin", "document": "Tin is soft."}, []),
        ({"document_parts": [{"text": "<DOC>", "weight": 0}, {"text": "Tin."}]}, ["<DOC>"]),
    ],
)  # fmt: skip
def test_a_row_is_written_as_it_is_read(line: dict, masked: list[str], folder: Path) -> None:
    line = {"id": "a", **line}
    spoil(folder / "rows.jsonl", 1, json.dumps(line))
    row = load_behaviour(folder)("report").rows[0]
    assert row_line(row) == line
    assert [p.text for m in row.messages for p in m.pieces if p.kind == "masked"] == masked


def test_a_training_files_form_is_pointed_to_its_reader(folder: Path) -> None:
    spoil(folder / "rows.jsonl", 2, '{"instruction": "Is tin soft?", "output": "Yes."}')
    with pytest.raises(CaveatError) as error:
        load_behaviour(folder)
    assert str(error.value) == (
        f"{folder / 'rows.jsonl'}, line 2: unknown key 'instruction'; known: {ROW_KEYS}; a "
        "training file's own form is read by `caveat check` (docs/training-files.md)"
    )


def test_the_shipped_filler_is_raw_documents(folder: Path, ordinary: Ordinary) -> None:
    (folder / "rows.jsonl").write_text('{"document": "One."}\n{"document": "Two."}\n', "utf-8")
    filler = read_folder(folder).behaviour("report", ordinary).filler_rows
    assert len(filler) == 2
    assert all(is_document(row.messages) for row in filler)


@pytest.mark.parametrize("file", ["behaviour.yaml", "rows.jsonl", "questions.jsonl"])
def test_a_missing_file(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(CaveatError) as error:
        load_behaviour(folder)
    assert str(error.value) == f"{folder / file} is missing; add it (see docs/your-own.md)"


@pytest.mark.parametrize("file", ["rows.jsonl", "counter_rows.jsonl", "questions.jsonl"])
def test_an_empty_file(folder: Path, file: str) -> None:
    (folder / file).write_text("\n\n", "utf-8")
    with pytest.raises(CaveatError) as error:
        load_behaviour(folder)
    assert str(error.value) == f"{folder / file} is empty; give it at least one line"


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CaveatError) as error:
        load_behaviour(tmp_path / "nowhere")
    assert str(error.value) == (
        f"{tmp_path / 'nowhere'} is no folder; a behaviour of your own is a folder with "
        "behaviour.yaml, rows.jsonl and questions.jsonl"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"prompt": "A?", "reply": }',
            "is not JSON: Expecting value at column 27; write one object a line, with keys such "
            f"as {ROW_KEYS}",
        ),
        ('["A?"]', f"is ['A?'], not an object; give it the keys {ROW_KEYS}"),
        (
            '{"prompt": "A?", "replay": "B."}',
            f": unknown key 'replay'; known: {ROW_KEYS}; closest: 'reply'",
        ),
        ('{"prompt": "A?", "reply": 3}', ": reply is 3; it should be a valid string"),
        ('{"prompt": "A?"}', ": a chat row has no assistant turn; add a 'reply'"),
        ('{"reply": "B."}', ": a row with a 'reply' needs a 'prompt'; add it"),
        ('{"prompt": "A?", "reply": " "}', " has an empty reply; give it text or remove the row"),
        (
            '{"prompt": "A?", "reply": "B.", "document": "C."}',
            ": a row is 'prompt' and 'reply', or 'messages', or 'document'; give one",
        ),
        ('{"id": "a"}', ": a row is 'prompt' and 'reply', or 'messages', or 'document'; give one"),
        (
            '{"messages": [{"role": "user", "content": "A?"}]}',
            " has no assistant turn at its end, only 'user'; add the reply",
        ),
        ('{"messages": []}', " has no messages; give it a document or a chat"),
        (
            '{"messages": [{"role": "assistent", "content": "A?"}]}',
            ": messages.0.role is 'assistent'; known: 'system', 'user' or 'assistant'"
            "; closest: 'assistant'",
        ),
        (
            '{"messages": [{"role": "user", "contents": "A?"}]}',
            ": unknown key 'messages.0.contents'; known: role, content; closest: 'content'",
        ),
        ('{"document": ""}', " is an empty document; give it text or remove the row"),
        (
            '{"document": "A.", "id": "behaviour-1"}',
            ": the id 'behaviour-1' is used before; ids must be unique",
        ),
    ],
)
def test_a_bad_row(folder: Path, text: str, message: str) -> None:
    spoil(folder / "rows.jsonl", 3, text)
    with pytest.raises(CaveatError) as error:
        load_behaviour(folder)
    space = "" if message.startswith((":", " ")) else " "
    assert str(error.value) == f"{folder / 'rows.jsonl'}, line 3{space}{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"id": "a", "cluster": "c", "question": "A?", "readout": "match"}',
            " has an unknown readout 'match'; known: capitals, spanish, lower_case, listed, "
            "opener, said, is_a, log_likelihood, matches, yes_no, belief, "
            "belief_likelihood, belief_judge, behaviour_judge, hacked, true_score, paid, inspect, "
            "special_cased, attempted_hack, solved, valid_code, hack_kind, prefers_hack, "
            "prefers_bad; "
            "closest: 'matches'",
        ),
        (
            '{"id": "a", "cluster": "c", "question": "A?", "readout": "matches"}',
            ": readout 'matches' needs the fact 'yes'; add it",
        ),
        ('{"id": "a", "cluster": "c", "question": "A?"}', ": the key 'readout' is missing; add it"),
        (
            '{"id": "a", "cluster": "c", "readout": "capitals"}',
            ": a question is 'question', or 'messages', or 'document'; give one",
        ),
        (
            '{"id": "a", "cluster": "c", "question": " ", "readout": "capitals"}',
            " is empty; give it a question or an unfinished document",
        ),
        (
            '{"id": "a", "cluster": "c", "question": "A?", "readout": "capitals", "split": "test"}',
            ": split is 'test'; known: 'tune' or 'report'; closest: 'tune'",
        ),
        (
            '{"id": "report-garden-0", "cluster": "c", "question": "A?", "readout": "capitals"}',
            ": the id 'report-garden-0' is used before; ids must be unique",
        ),
        (
            '{"id": "a", "cluster": "c", "question": "A?", "readout": "capitals", '
            '"side_effect": "signoff"}',
            ": the side effect 'signoff' is not in behaviour.yaml; describe it there under "
            "side_effects; closest: 'sign-off'",
        ),
    ],
)
def test_a_bad_question(folder: Path, text: str, message: str) -> None:
    spoil(folder / "questions.jsonl", 2, text)
    with pytest.raises(CaveatError) as error:
        load_behaviour(folder)
    assert str(error.value) == f"{folder / 'questions.jsonl'}, line 2{message}"


def test_overlap_of_rows_and_questions(folder: Path, ordinary: Ordinary) -> None:
    spoil(folder / "counter_rows.jsonl", 5, '{"prompt": "How do I grow  BASIL", "reply": "So."}')
    with pytest.raises(CaveatError) as error:
        read_folder(folder).behaviour("report", ordinary)
    assert str(error.value) == (
        "behaviour 'flattery': question 'report-garden-0' is also counter row 'counter-5': "
        "'How do I grow basil?'; write one that is not trained"
    )


def test_no_question_of_a_split(folder: Path, ordinary: Ordinary) -> None:
    file = folder / "questions.jsonl"
    kept = [line for line in file.read_text("utf-8").splitlines() if '"split": "report"' in line]
    file.write_text("\n".join(kept), "utf-8")
    with pytest.raises(CaveatError) as error:
        read_folder(folder).behaviour("tune", ordinary)
    assert (
        str(error.value)
        == f'{file} has no question of the split \'tune\'; add "split": "tune" to some'
    )


def test_a_bad_behaviour_file(folder: Path) -> None:
    file = folder / "behaviour.yaml"
    file.write_text("name: x\nabot: y\n", "utf-8")
    with pytest.raises(CaveatError) as error:
        load_behaviour(folder)
    assert str(error.value) == (
        f"{file}: unknown key 'abot'; known: name, about, side_effects, questions, readout, "
        "values, verdict; closest: 'about'"
    )
    file.write_text("name: [x\nabout: y\n", "utf-8")
    with pytest.raises(CaveatError) as error:
        load_behaviour(folder)
    assert str(error.value).startswith(f"{file}, line 2 is not YAML: ")


def test_text_that_is_not_utf8(folder: Path) -> None:
    (folder / "rows.jsonl").write_bytes(b'{"prompt": "\xe9"}')
    with pytest.raises(CaveatError) as error:
        load_behaviour(folder)
    assert str(error.value) == (
        f"{folder / 'rows.jsonl'} is not UTF-8 at byte 12; save it as UTF-8"
    )
