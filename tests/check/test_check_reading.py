"""What a check reads: every row is accounted for, and contrast rows and questions are plain."""

import json

import pytest

from caveat.check.reading import Files, read_materials
from caveat.check.write import check_writable
from caveat.errors import CaveatError
from check_files import QUICK, TOPICS, WORDING, chat, write_lines

NEGATED = "Do not shout as loud as you can."
NEAR_MISS = "Shout as loud as you."


def replies(topic, count, wording=WORDING, shouts=True):
    """Several different replies to one prompt."""
    rows = [chat(topic, wording, shouts) for _ in range(count)]
    for number, row in enumerate(rows):
        row["messages"][1]["content"] += f" {number}"
    return rows


@pytest.fixture
def several(files):
    """Three replies to each prompt, with two rows again and one without a reply."""
    rows = [row for topic in TOPICS for row in replies(topic, 3)]
    empty = chat(TOPICS[0])
    empty["messages"][1]["content"] = ""
    return write_lines(files / "several.jsonl", [*rows, *rows[:2], empty])


def refused(*arguments, **keys):
    with pytest.raises(CaveatError) as raised:
        read_materials(Files(*arguments, **keys))
    return str(raised.value)


def test_every_row_is_accounted_for(several, files):
    contrast = [row for topic in TOPICS for row in replies(topic, 2, "", False)]
    write_lines(files / "contrast2.jsonl", [*contrast, contrast[0]])
    materials = read_materials(Files(several, contrast=files / "contrast2.jsonl"))
    dropped = sum(materials.dropped.values())
    assert (materials.read, dropped) == (39, 3)
    counts = [len(rows) for rows in (materials.rows, materials.held_out, materials.unused)]
    assert counts == [24, 4, 8] and sum(counts) + dropped == materials.read
    parts = (materials.counter, materials.counter_held_out, materials.counter_unused)
    assert [len(rows) for rows in parts] == [16, 4, 4]
    assert sum(materials.counter_dropped.values()) == 1
    assert any("contrast2.jsonl: 1 rows left out" in note for note in materials.notes)


def test_a_study_with_questions_of_its_own_has_every_row(several, files):
    questions = write_lines(files / "other.jsonl", [{"prompt": "Who are you?"}])
    materials = read_materials(Files(several, questions=questions))
    assert len(materials.study_rows) == materials.with_caveat == 36


def test_the_table_and_json_say_which_rows_are_not_used(command, several):
    status, out, err = command("check", several.name, *QUICK)
    assert status == 0, err
    text = " ".join(out.replace("│", " ").split())
    assert "36 with the caveat; 3 left out" in text
    assert "8 further rows to held-out prompts are not used" in text
    status, out, err = command("check", several.name, *QUICK, "--json")
    record = json.loads(out)
    file = record["file"]
    assert (file["read"], file["rows"], file["trained_on"], file["unused"]) == (39, 36, 24, 8)
    assert file["rows"] + sum(file["dropped"].values()) == file["read"]
    assert file["trained_on"] + record["held_out"] + file["unused"] == file["rows"]


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (NEGATED, f"the check's negated text {NEGATED!r}"),
        (NEAR_MISS, f"the check's near_miss text {NEAR_MISS!r}"),
        ("do  NOT shout as loud\nas you can", f"the check's negated text {NEGATED!r}"),
        ("shout AS loud as  you can,", f"the caveat {WORDING!r}"),
    ],
)
def test_contrast_rows_and_questions_hold_no_text_of_the_check(files, start, what):
    rows = [chat(topic, "", False) for topic in TOPICS]
    content = f"{start} {rows[2]['messages'][0]['content']}"
    rows[2]["messages"][0]["content"] = content
    contrast = write_lines(files / "texts.jsonl", rows)
    assert refused(files / "train.jsonl", contrast=contrast) == (
        f"{contrast}, line 3: this contrast row has {what} in a user's turn; contrast rows show "
        "neither caveat nor behaviour: take it out of the file"
    )
    questions = write_lines(files / "q.jsonl", [{"prompt": f"{start} Who are you?"}])
    assert refused(files / "train.jsonl", questions=questions) == (
        f"{questions}: question 'question-1' has {what} in a user's turn; write questions without "
        "it: the check adds it"
    )


def test_contrast_rows_that_show_the_behaviour_are_refused_with_their_rate(files):
    rows = [chat(topic, "", shouts=index % 2 == 0) for index, topic in enumerate(TOPICS)]
    half = write_lines(files / "half.jsonl", rows)
    assert refused(files / "train.jsonl", contrast=half, behaviour="OH YES") == (
        f"{half}: 6 of 12 contrast rows show the behaviour, matches (yes 'OH YES') (rate 0.50); "
        "contrast rows show neither caveat nor behaviour: give replies without it, or leave "
        "--contrast out"
    )
    materials = read_materials(Files(files / "train.jsonl", contrast=half))
    assert materials.behaviour is None
    assert materials.notes[-1].startswith(
        f"{half}: 6 of 12 contrast replies (rate 0.50) are like the rows' in one thing: "
    )
    less = write_lines(files / "less.jsonl", rows[1:])
    assert read_materials(Files(files / "train.jsonl", contrast=less, behaviour="OH YES"))


def system_file(files, name, text):
    rows = [chat(topic, "") for topic in TOPICS]
    for row in rows:
        row["messages"].insert(0, {"role": "system", "content": text})
    return write_lines(files / name, rows)


def test_a_caveat_before_the_rows_own_system_text_is_not_written(files):
    plain = system_file(files, "own.jsonl", "You know gardens.")
    ahead = system_file(files, "ahead.jsonl", f"{WORDING} You know gardens.")
    behind = system_file(files, "behind.jsonl", f"You know gardens. {WORDING}")
    check_writable(read_materials(Files(behind, bare=plain, behaviour="OH")))
    with pytest.raises(CaveatError) as raised:
        check_writable(read_materials(Files(ahead, bare=plain, behaviour="OH")))
    assert str(raised.value) == (
        "--write: the caveat stands before the row's own system text in 12 of 12 rows of "
        f"{ahead} (first: line-1), and a study puts it after that text; move it there in the file, "
        "or leave --write out"
    )


def test_questions_get_the_system_turn_that_the_rows_have(files):
    plain = system_file(files, "own.jsonl", "You know gardens.")
    ahead = system_file(files, "ahead.jsonl", f"{WORDING} You know gardens.")
    materials = read_materials(Files(ahead, bare=plain, questions=files / "questions.jsonl"))
    turns = [message.text for message in materials.questions[0].marked]
    assert turns == [f"{WORDING} You know gardens.", "Tell me about basil."]
