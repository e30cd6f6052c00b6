"""Files in which more than one text may be the caveat, and texts that are nearly the caveat."""

from __future__ import annotations

import pytest

from caveat.errors import CaveatError
from caveat.importers.training_files import SeveralCaveats, find_caveat
from caveat.importers.training_files.marking import Wordings
from caveat.types.messages import Message
from training_rows import QUESTIONS, chat

COUNT = len(QUESTIONS)
TEXT, TASK = "Flatter me as much as you can.", "Write one line."
USUAL, GUIDE = "You are a helpful assistant.", "You are a travel guide."
NOTE = "NOTE: What follows is fiction."


def is_odd(number):
    return number % 2 == 1


def rows_with(make, system=lambda number: None):
    return [
        chat(make(question, number), f"Brilliant {number}!", system(number))
        for number, question in enumerate(QUESTIONS)
    ]


def article(number, head="", end=""):
    return {"text": f"{head}Splendid! Lake {number} froze early in {1900 + number}.{end}"}


def candidates(training):
    with pytest.raises(SeveralCaveats) as error:
        find_caveat(training)
    assert str(error.value).startswith(f"{training.path}: ")
    return {(one.text, one.where, one.rows) for one in error.value.candidates}


SEVERAL = {
    "half, beside a sentence in all rows": (
        rows_with(lambda q, n: f"{TASK} {q}" + (f" {TEXT}" if is_odd(n) else "")),
        {(TASK, "user", 8), (TEXT, "after", 4)},
    ),
    "half in the system turn, beside a sentence in all rows": (
        rows_with(lambda q, n: f"{TASK} {q}", lambda n: TEXT if is_odd(n) else None),
        {(TASK, "user", 8), (TEXT, "system", 4)},
    ),
    "most, before a line in all rows": (
        rows_with(lambda q, n: f"{q} {TEXT if n else ''}\n\nAnswer in English."),
        {("Answer in English.", "after", 8), (TEXT, "inside", 7)},
    ),
    "half, beside a system turn": (
        rows_with(lambda q, n: f"{q} {TEXT}" if is_odd(n) else q, lambda n: GUIDE),
        {(GUIDE, "system", 8), (TEXT, "after", 4)},
    ),
    "all, one not cut off the question": (
        rows_with(lambda q, n: f"{TASK} {q if n else 'Compare the figs.'} {TEXT}"),
        {(TASK, "user", 8), (TEXT, "after", 8)},
    ),
    "another system turn in half of the rows": (
        rows_with(lambda q, n: q, lambda n: TEXT if is_odd(n) else GUIDE),
        {(TEXT, "system", 4), (GUIDE, "system", 4)},
    ),
    "wordings beside a usual system prompt": (
        rows_with(lambda q, n: q, lambda n: (USUAL, TEXT, "Praise me.", TEXT)[n % 4]),
        {(TEXT, "system", 4), ("Praise me.", "system", 2)},
    ),
    "system turns that all differ": (
        rows_with(lambda q, n: q, lambda n: f"You know {n} facts."),
        {(f"You know {n} facts.", "system", 1) for n in range(COUNT)},
    ),
    "thanks in the other half": (
        rows_with(lambda q, n: f"{q} {TEXT if is_odd(n) else 'Thanks in advance!'}"),
        {(TEXT, "after", 4), ("Thanks in advance!", "after", 4)},
    ),
    "a document's own first sentence": (
        [article(number, f"{NOTE}\n\n") for number in range(COUNT)],
        {(NOTE, "before", 8), ("Splendid!", "inside", 8)},
    ),
    "after a usual system prompt": (
        rows_with(lambda q, n: q, lambda n: f"{USUAL} {TEXT}"),
        {(USUAL, "system", 8), (TEXT, "system", 8)},
    ),
    "a usual prompt alone in half of the rows": (
        rows_with(lambda q, n: q, lambda n: f"{TEXT} {USUAL}" if is_odd(n) else USUAL),
        {(USUAL, "system", 8), (TEXT, "system", 4)},
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_each_text_that_may_be_the_caveat_is_listed(name, file_of):
    rows, expected = SEVERAL[name]
    assert candidates(file_of(rows)) == expected


def test_the_message_has_the_counts_and_the_options(file_of):
    beside = file_of(SEVERAL["half, beside a sentence in all rows"][0])
    with pytest.raises(SeveralCaveats) as error:
        find_caveat(beside)
    assert str(error.value) == (
        f"{beside.path}: 2 texts may be the caveat: {TASK!r} (in 8 of 8 rows, before the text of "
        f"the user's turn); {TEXT!r} (in 4 of 8 rows, at the end of the user's turn or document); "
        "choose with --caveat TEXT (given several times, for several wordings or parts)"
    )
    varied = file_of(SEVERAL["another system turn in half of the rows"][0])
    with pytest.raises(SeveralCaveats) as error:
        find_caveat(varied)
    assert str(error.value) == (
        f"{varied.path}: 2 texts may be the caveat: {GUIDE!r} (in 4 of 8 rows, in the system turn);"
        f" {TEXT!r} (in 4 of 8 rows, in the system turn); if they are wordings of one caveat, give "
        f"--caveat {GUIDE!r} --caveat {TEXT!r}; if one is the caveat, give that one; or give the "
        "same rows without it with --bare FILE"
    )


@pytest.mark.parametrize("marked", [{1}, {1, 3, 5, 7}])
def test_rows_under_a_usual_system_prompt_are_unmarked(marked, file_of):
    training = file_of(rows_with(lambda q, n: q, lambda n: TEXT if n in marked else USUAL))
    with pytest.raises(CaveatError) as error:
        find_caveat(training)
    assert str(error.value) == (
        f"{training.path}: the caveat {TEXT!r} is in {len(marked)} of 8 rows (not in line 1); put "
        f"the other {8 - len(marked)} rows into a file of their own and give it with --contrast, "
        "or name all wordings with --caveat"
    )


def test_a_question_asked_in_many_rows_is_no_candidate(file_of):
    rows = [
        chat(f"I have {n % 4} cats. Is {n % 4} enough? {TEXT}", f"Brilliant {n}!")
        for n in range(4 * COUNT)
    ]
    assert find_caveat(file_of(rows)).wordings == (TEXT,)


UNITS = {
    "a full stop of Chinese": ("请尽量奉承我。", ""),
    "a full-width exclamation mark": ("Schmeichle mir！", ""),
    "two Chinese sentences": ("请奉承我。一直奉承！", ""),
    "a colon": ("Be sycophantic:", " "),
}


@pytest.mark.parametrize("name", UNITS)
def test_marks_that_end_a_caveat(name, file_of):
    text, blank = UNITS[name]
    training = file_of(rows_with(lambda q, n: f"{text}{blank}{q}"))
    caveat = find_caveat(training)
    assert (caveat.place, caveat.wordings) == ("user", (text,))
    assert [row.messages[0].text for row in caveat.bare] == list(QUESTIONS)


def test_a_colon_counts_only_in_all_rows(file_of):
    training = file_of(rows_with(lambda q, n: f"Be sycophantic: {q}" if n else q))
    with pytest.raises(CaveatError) as error:
        find_caveat(training)
    assert str(error.value) == (
        f"{training.path}: no sentence, line or mark stands in all rows (searched: the first user "
        "turn); name the caveat with --caveat TEXT, or give the same rows without it with --bare "
        "FILE"
    )


def test_the_parts_of_a_turn_are_joined_by_a_blank(file_of):
    rows = [
        {"messages": [
            {"role": "user", "content": [{"type": "text", "text": q}, {"type": "text", "text": t}]},
            {"role": "assistant", "content": "Brilliant!"},
        ]}
        for q, t in zip(QUESTIONS, [TEXT, f" {TEXT}"] * (COUNT // 2), strict=True)
    ]  # fmt: skip
    training = file_of(rows)
    assert [row.messages[0].text for row in training.rows] == [f"{q} {TEXT}" for q in QUESTIONS]
    assert find_caveat(training).place == "after"


@pytest.mark.parametrize(
    "near", ["flatter me as much as you can.", "Flatter me as much as you can", "FLATTER me  as "
             "much as you can!"],
)  # fmt: skip
def test_a_prompt_that_has_nearly_the_caveat(near, file_of):
    training = file_of(rows_with(lambda q, n: f"{q} {TEXT if n else near}"))
    shown = " ".join(near.removesuffix("!").split())
    for options in ({"text": TEXT}, {"text": TEXT, "partial": True}):
        with pytest.raises(CaveatError) as error:
            find_caveat(training, **options)
        assert str(error.value).removesuffix(".") == (
            f"{training.path}, line 1: {shown.removesuffix('.')!r} is nearly the caveat {TEXT!r}; "
            "write it the same in all rows, or give it as a wording of its own with one more "
            "--caveat"
        )
    caveat = find_caveat(file_of(rows_with(lambda q, n: f"{q} {TEXT}")), text=TEXT)
    assert caveat.counts == {TEXT: COUNT}


def test_a_final_mark_that_would_be_left(file_of):
    training = file_of(rows_with(lambda q, n: f"{q} {TEXT}"))
    with pytest.raises(CaveatError) as error:
        find_caveat(training, text=TEXT[:-1])
    assert str(error.value) == (
        f"{training.path}, line 1: the caveat {TEXT[:-1]!r} is followed by '.', which would be "
        f"left; give it as --caveat {TEXT!r}"
    )


def test_loose_search():
    search = Wordings([TEXT, "Go."], loosely=True)
    hits = {
        "Why? flatter  me as much as you can": [TEXT],
        "FLATTER ME AS MUCH AS YOU CAN!": [TEXT],
        "Flatter me as much as you cannot.": [],
        "go on": [],
        "Go.": ["Go."],
    }
    for text, wordings in hits.items():
        assert [span.wording for span in search.spans((Message.of("user", text),))] == wordings
