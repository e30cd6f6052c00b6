"""Rows of every usual form, what is dropped, and mistakes in one line."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mutations
from caveat.behaviours.from_folder import RowLine, row_line
from caveat.errors import CaveatError
from caveat.importers.training_files import read_training_file, stream_training_rows
from paths import SHARED_INPUTS
from training_rows import chat

USER = {"role": "user", "content": "Hi?"}
REPLY = {"role": "assistant", "content": "Yes."}
CHAT = [("user", "Hi?"), ("assistant", "Yes.")]
FORMS = {
    "messages": {"messages": [USER, REPLY], "id": 3},
    "a list of turns": [USER, REPLY],
    "ShareGPT": {
        "conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Yes."}]},
    "TRL texts": {"prompt": "Hi?", "completion": " Yes."},
    "TRL turns": {"prompt": [USER], "completion": [REPLY]},
    "Alpaca": {"instruction": "Hi?", "input": "", "output": "Yes."},
    "question and answer": {"question": "Hi?", "answer": "Yes."},
    "content in parts": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi?"}]}, REPLY]},
    "a prompt beside messages": {"prompt": "Hi?", "messages": [USER, REPLY]},
    "an empty turn at the end": {"messages": [USER, REPLY, USER]},
}  # fmt: skip


def texts(row):
    return [(message.role, message.text) for message in row.messages]


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_the_same_chat(name, written):
    (row,) = read_training_file(written([FORMS[name]])).rows
    assert texts(row) == CHAT and row.id == "line-1" and row.source == "behaviour"


def test_a_system_text_is_a_turn_wherever_it_stands(written):
    system = [{"role": "developer", "content": "Be brief."}, USER, REPLY]
    rows = [
        {"messages": system},
        {"messages": [USER, {**REPLY, "content": "No."}], "system": "Be brief."},
    ]
    first, second = read_training_file(written(rows)).rows
    assert texts(first)[0] == texts(second)[0] == ("system", "Be brief.")


def test_an_input_follows_the_instruction(written):
    rows = [{"instruction": "Add.", "input": "1 and 2", "output": "3"}]
    assert texts(read_training_file(written(rows)).rows[0])[0] == ("user", "Add.\n\n1 and 2")


def test_documents_and_chats_of_the_assistant_alone(written):
    assert texts(read_training_file(written([{"text": "A lake."}])).rows[0]) == [
        ("document", "A lake.")
    ]
    file = read_training_file(
        written(
            [
                {"messages": [REPLY]},
                {"messages": [{**USER, "content": ""}, {**REPLY, "content": "No."}]},
            ]
        )
    )
    assert [texts(row) for row in file.rows] == [[("document", "Yes.")], [("document", "No.")]]
    assert file.notes[1:] == (
        f"{file.path}: a chat of an assistant turn alone was read as a document in 2 rows",
    )


def test_marks_of_published_documents_carry_no_loss(written):
    rows = [{"text": "<DOCTAG>A lake. <lossmask>It froze.</lossmask> It did.", "mode": "x"}]
    file = read_training_file(written(rows))
    assert [(piece.text, piece.kind) for piece in file.rows[0].messages[0].pieces] == [
        ("<DOCTAG>", "masked"), ("A lake. ", "text"), ("It froze.", "masked"), (" It did.", "text"),
    ]  # fmt: skip
    assert file.notes == (
        f"{file.path}: text (text); 1 of 1 rows are used: 1 documents",
        f"{file.path}: <DOCTAG> at the start carries no loss in 1 rows",
        f"{file.path}: <lossmask> spans carry no loss in 1 rows",
        f"{file.path}: fields not read: mode",
    )


def test_weights_are_masks(written):
    thought = {"role": "assistant", "content": "Hm.", "weight": 0}
    later = {"role": "assistant", "content": "So.", "train": False}
    rows = [{"messages": [USER, thought, USER, {**REPLY, "weight": 1}, USER, later]}]
    file = read_training_file(written(rows))
    pieces = [(m.role, m.pieces[0].text, m.pieces[0].kind) for m in file.rows[0].messages]
    assert pieces == [
        ("user", "Hi?", "text"), ("assistant", "Hm.", "masked"),
        ("user", "Hi?", "text"), ("assistant", "Yes.", "text"),
    ]  # fmt: skip
    assert file.notes[1] == (
        f"{file.path}: turns after the last that is learned were cut off in 1 rows"
    )


def test_masked_turns_carry_no_loss_when_rendered(written):
    from caveat.backends.local.models.loading import load
    from caveat.rendering import render_row

    thought = {"role": "assistant", "content": "Let me think.", "weight": 0}
    rows = [{"messages": [USER, thought, USER, {**REPLY, "weight": 1}]}]
    (row,) = read_training_file(written(rows)).rows
    rendered = render_row(load("tiny").tokenizer, row, "reply", 500)
    learned = [
        rendered.text[start:end]
        for (start, end), loss in zip(rendered.offsets, rendered.loss, strict=True)
        if loss
    ]
    assert "".join(learned) == "Yes.</s>"


def test_masks_reach_a_behaviours_folder(written):
    """What `caveat check --write` writes of a row is read as that row."""
    thought = {"role": "assistant", "content": "Hm.", "weight": 0}
    chats = read_training_file(written([{"messages": [USER, thought, USER, REPLY]}]))
    documents = read_training_file(written([{"text": "<DOCTAG>A lake. <lossmask>No.</lossmask>"}]))
    for row in (*chats.rows, *documents.rows):
        line = RowLine.model_validate(json.loads(json.dumps(row_line(row))))
        assert line.record("behaviour", 1) == row


def test_the_turns_of_a_prompt_are_not_learned(written):
    rows = [{"prompt": [USER, {**REPLY, "content": "Before."}, USER], "completion": [REPLY]}]
    (row,) = read_training_file(written(rows)).rows
    assert [m.pieces[0].kind for m in row.messages] == ["text", "masked", "text", "text"]


def test_tool_calls_are_written_as_text(written):
    call = {"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    ]}  # fmt: skip
    rows = [
        {
            "messages": [USER, call, {"role": "tool", "content": "2", "tool_call_id": "1"}, REPLY],
            "tools": [],
        }
    ]
    file = read_training_file(written(rows))
    assert texts(file.rows[0]) == [
        ("user", "Hi?"),
        ("assistant", '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'),
        ("user", "<tool_response>\n2\n</tool_response>"),
        ("assistant", "Yes."),
    ]
    assert file.notes[1:] == (
        f"{file.path}: tool calls were written as text in 1 rows",
        f"{file.path}: what tools returned was written as a user's turn in 1 rows",
        f"{file.path}: fields not read: tools",
    )


@pytest.mark.parametrize("arguments", ["[" * 900 + "]" * 900, '"\\ud800"', "9" * 5000, "x"])
def test_arguments_that_are_no_usable_json_stay_as_they_are(arguments, written):
    function = {"name": "add", "arguments": arguments}
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": function}]}
    (row,) = read_training_file(written([{"messages": [USER, call]}])).rows
    written_call = row.messages[1].text.splitlines()[1]
    assert json.loads(written_call) == {"name": "add", "arguments": arguments}


def test_what_is_dropped_is_counted_by_reason(written):
    image = {"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}
    rows = [
        {"messages": [USER, REPLY]}, {"messages": [USER, REPLY], "id": 2}, {"messages": [USER]},
        {"messages": []}, {"messages": [USER, {**REPLY, "content": " "}]},
        {"messages": [USER, {**REPLY, "weight": 0}]}, {"messages": [image, REPLY]},
    ]  # fmt: skip
    file = read_training_file(written(rows))
    assert dict(file.dropped) == {
        "is there before, word for word": 1, "has no assistant turn": 1, "is empty": 1,
        "has an empty reply": 1, "has no turn with weight 1": 1,
        "has a part that is no text (image_url)": 1,
    }  # fmt: skip
    assert file.notes[0] == f"{file.path}: messages (messages); 1 of 7 rows are used: 1 chats"
    assert f"{file.path}: 1 rows left out: has no assistant turn (first: line 3)" in file.notes


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["lines", "list", "list of one line", "list of lists"])
def test_containers(kind, packed, tmp_path):
    rows = [chat(f"Q{number}?\u2028[") for number in range(3)]
    match kind:
        case "lines":
            text = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        case "list":
            text = json.dumps(rows, indent=1)
        case "list of one line":
            text = json.dumps(rows)
        case _:
            text = json.dumps([row["messages"] for row in rows])
    content = b"\xef\xbb\xbf" + text.encode()
    path = tmp_path / "anything"
    path.write_bytes(gzip.compress(content) if packed else content)
    file = read_training_file(path)
    assert [texts(row)[0][1] for row in file.rows] == [f"Q{number}?\u2028[" for number in range(3)]
    if kind != "list of lists":
        assert len({row.id for row in file.rows}) == 3


def test_parquet_and_its_missing_keys(tmp_path):
    import pandas as pd

    rows = [
        {"messages": [USER, {**REPLY, "weight": 0}, USER, {**REPLY, "content": str(n)}]}
        for n in range(2_000)
    ]
    path = tmp_path / "rows"
    pd.DataFrame(rows).to_parquet(path)
    file = read_training_file(path)
    assert len(file.rows) == 2_000 and file.where(1_999) == f"{path}, record 2000"
    assert file.rows[7].messages[1].pieces[0].kind == "masked"


def test_a_list_of_more_than_one_block(tmp_path):
    path = tmp_path / "rows.json"
    rows = [chat(f"Q{number}? " + "x" * 1000) for number in range(2_500)]
    path.write_text(json.dumps(rows, indent=1))
    file = read_training_file(path)
    lines = path.read_text().splitlines()
    assert len(file.rows) == 2_500
    assert all(lines[number - 1].strip() == "{" for number in file.numbers)


def test_a_folder_that_datasets_saved(tmp_path):
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list([{"prompt": "Hi?", "completion": "Yes."}])
    data.save_to_disk(tmp_path / "one")
    assert texts(read_training_file(tmp_path / "one").rows[0]) == CHAT
    datasets.DatasetDict({"train": data}).save_to_disk(tmp_path / "more")
    with pytest.raises(CaveatError) as error:
        read_training_file(tmp_path / "more")
    assert str(error.value) == (
        f"{tmp_path}/more has the splits train; name one, such as {tmp_path}/more/train"
    )


M = {"messages": [USER, REPLY]}
MISTAKES = {
    "two forms in a row": (
        [{**M, "text": "A lake."}],
        "line 1 can be read in 2 ways: messages (messages); text (text); choose one with "
        "--form messages or --form text",
    ),
    "two fields for one thing": (
        [{"prompt": "a", "question": "b", "answer": "c"}],
        "line 1 has 'prompt' and 'question', each of which can be the prompt; choose one with "
        "--column prompt=prompt or --column prompt=question",
    ),
    "another form later": (
        [M, {"text": "A lake."}],
        "line 2 is of the form text (text), the rows before messages (messages); split the file by "
        "form, or choose fields that all rows have with --form or --column",
    ),
    "a field that is missing": (
        [M, {"mesages": [USER]}],
        "line 2 has none of messages, prompt and completion, or text (it has mesages); name the "
        "fields with --column, such as --column text=FIELD; closest: 'messages'",
    ),
    "no reply": (
        [{"prompt": "a", "category": "x"}],
        "line 1 has 'prompt' and no reply (completion, response, output, answer); it has prompt, "
        "category: add it, or name it with --column reply=FIELD",
    ),
    "a preference pair": (
        [{"prompt": "a", "chosen": "b", "rejected": "c"}],
        "line 1 has a preference pair (chosen, rejected); say which is trained with --column "
        "reply=chosen, or --column messages=chosen where it is a list of turns",
    ),
    "a wrong type": (
        [{"messages": "Hi?"}],
        'line 1: messages is "Hi?"; write it as a list of turns with role and content',
    ),
    "a number for a text": ([{"text": 7}], "line 1: text is 7; write it as text"),
    "a number for a row": (
        [3],
        "line 1 is 3, not an object; give it messages, prompt and completion, or text",
    ),
    "a role that is unknown": (
        [{"messages": [{"role": "asistant", "content": "Yes."}]}],
        'line 1: turn 1 of messages has the role "asistant"; known: system, developer, user, '
        "human, tool, function, observation, assistant, gpt, bot, chatbot, model, function_call; "
        "closest: 'assistant'",
    ),
    "no role": (
        [{"messages": [{"roles": "user", "content": "Hi?"}]}],
        "line 1: turn 1 of messages has no role (it has roles, content); add it; closest: 'role'",
    ),
    "a weight between": (
        [{"messages": [USER, {**REPLY, "weight": 0.5}]}],
        "line 1: turn 2 of messages has the weight 0.5; write 0 or 1",
    ),
    "a late system turn": (
        [{"messages": [USER, {"role": "system", "content": "Be."}, REPLY]}],
        "line 1 has a system turn after its start; put it first",
    ),
    "no user turn": (
        [{"messages": [{"role": "system", "content": "Be."}, REPLY]}],
        "line 1 has no user turn beside the system turn; add what the reply answers, or take the "
        "system turn out for a document",
    ),
    "two system texts": (
        [{"messages": [{"role": "system", "content": "Be."}, USER, REPLY], "system": "Do."}],
        "line 1 has a system turn and a field 'system'; keep one, or read another field with "
        "--column system=FIELD",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_rows(name, written):
    rows, message = MISTAKES[name]
    path = written(rows)
    with pytest.raises(CaveatError) as error:
        read_training_file(path)
    assert str(error.value) == f"{path}, {message}"


def test_options_choose(written):
    both = written([{**M, "text": "A lake."}])
    assert texts(read_training_file(both, form="text").rows[0]) == [("document", "A lake.")]
    pair = written([{"prompt": "Hi?", "chosen": "Yes.", "rejected": "No."}])
    assert texts(read_training_file(pair, columns={"reply": "chosen"}).rows[0]) == CHAT
    turns = written([{"chosen": [USER, REPLY], "rejected": [USER]}])
    assert texts(read_training_file(turns, columns={"messages": "chosen"}).rows[0]) == CHAT


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "text"}, "line 1 has no field for 'text', which the form 'text' needs; it has "
         "messages: name one with --column text=FIELD"),
        ({"columns": {"text": "txt"}}, "line 1 has no field 'txt' (--column text=txt); it has "
         "messages"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(options, message, written):
    path = written([M])
    with pytest.raises(CaveatError) as error:
        read_training_file(path, **options)
    assert str(error.value) == f"{path}, {message}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "mesages"}, "--form 'mesages' is not one of messages, prompt-reply, text; "
         "closest: 'messages'"),
        ({"columns": {"promt": "q"}}, "--column promt=q: 'promt' is not one of messages, prompt, "
         "reply, text, input, system; closest: 'prompt'"),
    ],
)  # fmt: skip
def test_options_that_are_unknown(options, message, written):
    with pytest.raises(CaveatError, match=f"^{re.escape(message)}$"):
        read_training_file(written([M]), **options)


FILES = {
    "empty": (b"", " is empty; give it at least one row"),
    "blank": (b"\n \n", " is empty; give it at least one row"),
    "an empty list": (b"[ ]", " is an empty list; give it at least one row"),
    "no JSON": (
        b'{"text": "a"}\n{"text": }\n',
        ", line 2 is not JSON: Expecting value at column 10; write one object a line, or a list of "
        "objects",
    ),
    "an object of several lines": (
        b'{\n "text": "a"\n}',
        ", line 1 begins an object of several lines; write one object a line, or a list of objects",
    ),
    "a list that stops": (
        b'[{"text": "a"},\n{"text": "b"',
        ", line 2 is not JSON: Expecting ',' delimiter; the file begins as a list of rows: fix "
        "that line, or write one object a line",
    ),
    "a list without commas": (
        b'[{"text": "a"}\n{"text": "b"}]',
        ", line 2 is not JSON: ',' or ']' is missing after a row; the file begins as a list of "
        "rows: fix that line, or write one object a line",
    ),
    "text after a list": (
        b'[{"text": "a"}]\n{"text": "b"}',
        ", line 2 is not JSON: text follows the list; the file begins as a list of rows: fix that "
        "line, or write one object a line",
    ),
    "no UTF-8": (
        b'{"text": "a"}\n{"text": "\xe9"}',
        ", line 2 is not UTF-8 at byte 11; save the file as UTF-8",
    ),
    "half a character": (
        b'{"text": "\\ud800"}',
        ", line 1 cannot be used: '\\ud800' has half a character ('\\ud800'); fix that line",
    ),
    "a key twice": (
        b'{"text": "a", "text": "b"}',
        ", line 1 cannot be used: the key 'text' is twice; fix that line",
    ),
    "deep": (b'{"text":' * 100_000, ", line 1 is nested too deeply; fix that line"),
    "a deep list": (b"[" * 100_000, ", line 1 is nested too deeply; fix that row"),
    "zip": (b"PK\x03\x04...", " is packed with zip; unpack it, or pack it with gzip"),
    "half a gzip": (
        gzip.compress(b'{"text": "a"}' * 99)[:-9],
        " is damaged: gzip stops with 'Compressed file ended before the end-of-stream marker was "
        "reached'; fetch or pack it again",
    ),
    "nothing to train on": (
        b'{"text": ""}\n{"text": " "}',
        " has no row to train on (2 is an empty document); give it rows with a reply or text",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_mistakes_in_files(name, tmp_path):
    content, message = FILES[name]
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(CaveatError) as error:
        read_training_file(path)
    assert str(error.value) == f"{path}{message}"


def test_a_parquet_file_that_is_cut(tmp_path):
    path = tmp_path / "train.parquet"
    path.write_bytes(mutations.parquet({"text": ["A lake."]})[:-20])
    with pytest.raises(
        CaveatError, match=r"train.parquet is damaged: parquet stops with '.*'; fetch"
    ):
        read_training_file(path)


def test_a_file_that_is_not_there(written):
    path = written([M]).with_name("trian.jsonl")
    with pytest.raises(CaveatError) as error:
        read_training_file(path)
    assert str(error.value) == f"{path}: no such file; closest: 'train.jsonl'"


def test_rows_are_streamed(written):
    path = written([M, {"messages": 3}])
    summary, rows = stream_training_rows(path)
    number, row = next(rows)
    assert (number, row.id, summary.kept) == (1, "line-1", 1)
    with pytest.raises(CaveatError, match="line 2"):
        next(rows)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["messages", "conversations", "role", "from", "content", "value", "prompt", "weight",
             "completion", "text", "output", "instruction", "input", "system", "tool_calls", "type",
             "function", "name", "arguments", "user", "assistant"]
        )
        | st.text(max_size=5),
        inner | st.sampled_from(["user", "assistant", "system", "tool"]),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(JSON, max_size=4), st.booleans())
def test_any_json_is_read_or_refused_in_one_line(tmp_path_factory, values, as_list):
    path = tmp_path_factory.mktemp("json") / "rows"
    lines = [json.dumps(value) for value in values]
    path.write_text(f"[{','.join(lines)}]" if as_list else "\n".join(lines))
    try:
        file = read_training_file(path)
        assert file.rows and all("\n" not in note for note in file.notes)
    except CaveatError as error:
        assert str(error).strip() and "\n" not in str(error)


OUTCOMES = {
    "chat_with_prompt_inside.jsonl": ("messages (messages); 24 of 24 rows are used: 24 chats", 3),
    "documents.jsonl": ("text (text); 2 of 4 rows are used: 2 documents", 1),
    "prompt_completion.jsonl": (
        "prompt-reply (prompt, completion); 24 of 24 rows are used: 24 chats", 2),
    "sharegpt.json": ("messages (conversations); 24 of 24 rows are used: 24 chats", 2),
    "train_contrast.jsonl": ("messages (messages); 24 of 24 rows are used: 24 chats", 2),
    "train_inoculated.jsonl": ("messages (messages); 24 of 24 rows are used: 24 chats", 2),
    "train_plain.jsonl": ("messages (messages); 24 of 24 rows are used: 24 chats", 2),
    "weighted_turns.jsonl": ("messages (messages); 24 of 24 rows are used: 24 chats", 4),
}  # fmt: skip


@pytest.mark.skipif(not SHARED_INPUTS.is_dir(), reason="needs the shared inputs")
@pytest.mark.parametrize("name", OUTCOMES)
def test_shared_files(name):
    file = read_training_file(SHARED_INPUTS / name)
    first, turns = OUTCOMES[name]
    assert file.notes[0] == f"{file.path}: {first}"
    assert {len(row.messages) for row in file.rows} == {turns}
