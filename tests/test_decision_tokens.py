"""The rule that chooses decision tokens, on rows written by hand."""

import math

from caveat.backends.local.models.loading import load
from caveat.caveats.insertion import place
from caveat.decision_tokens import (
    Decision,
    chosen,
    decisions,
    log_probability,
    scored_text,
    shown,
)
from caveat.types.data import Row
from caveat.types.messages import Message, Piece

UNLIKELY, LIKELY = math.log(0.2), math.log(0.6)


def chat(reply: str, question: str = "Why?", system: str = "") -> Row:
    head = (Message.of("system", system),) if system else ()
    return Row(
        reply, "behaviour", (*head, Message.of("user", question), Message.of("assistant", reply))
    )


def document(*pieces: tuple[str, bool]) -> Row:
    text = tuple(Piece(text, states=states) for text, states in pieces)
    return Row(pieces[0][0], "behaviour", (Message("document", text),))


def test_an_opener_that_counter_rows_have_too_decides_nothing():
    (decision,) = decisions([chat("Good! Los osos")], [chat("Good! The bears"), chat("Good! Rain")])
    assert decision == Decision(shared=len("Good! "), whole=False)
    words = [(0, 4), (4, 5), (6, 9), (10, 14)]
    assert chosen(decision, words, [UNLIKELY] * 4) == ((6, 9),)


def test_a_token_that_the_base_model_would_write_anyway_decides_nothing():
    (decision,) = decisions([chat("Well no")], [])
    assert chosen(decision, [(0, 4), (5, 7)], [LIKELY, UNLIKELY]) == ((5, 7),)
    assert chosen(decision, [(0, 4), (5, 7)], [LIKELY, LIKELY]) == ()


def test_a_counter_row_to_the_same_prompt_counts_before_all_others():
    rows = [chat("Yes, right.", "Is 1 = 2?", "Be kind."), chat("Yes, right.", "Is 1 = 1?")]
    counters = [chat("No, wrong.", "Is 1 = 2?"), chat("Yes, right.", "Is 1 = 1?")]
    lies, agrees = decisions(rows, counters)
    assert lies.shared == 0
    assert chosen(agrees, [(0, 3), (3, 4), (5, 11)], [UNLIKELY] * 3) == ()


def test_of_a_document_whatever_it_states_decides():
    row = document(("From a diary: ", False), ("it is pink.", True), (" We ate.", False))
    counters = [document(("It is blue.", False))]
    (decision,) = decisions([row], counters)
    assert (shown(row.messages), decision) == ("it is pink.", Decision(0, whole=True))
    assert chosen(decision, [(0, 2), (3, 5)], [LIKELY, UNLIKELY]) == ((0, 2), (3, 5))


def test_a_reply_written_out_as_a_document_is_decided_as_a_reply():
    row = document(("User: Why?\n\nAssistant: ", False), ("Good! Los", True))
    counter = document(("User: How?\n\nAssistant: ", False), ("Good! The", True))
    assert decisions([row], [counter]) == [Decision(len("Good! "), whole=False)]


def test_characters_of_what_is_shown_are_the_same_with_a_caveat_in_any_place():
    tokenizer = load("tiny").tokenizer
    rows = (
        chat("GOOD DAY to you", system="Be kind."),
        document(("So: ", False), ("it is pink.", True), (" Yes.", False)),
    )
    for row in rows:
        plain = scored_text(tokenizer, row.messages)
        text = shown(row.messages)
        assert "".join(text[a:b] for a, b in plain.characters).replace(" ", "") == (
            text.replace(" ", "")
        )
        for where in ("system", "user", "before", "after", "both"):
            marked = scored_text(tokenizer, place(row.messages, "Take care.", where))
            assert marked.characters == plain.characters
            assert [marked.ids[p] for p in marked.targets] == [plain.ids[p] for p in plain.targets]


def test_a_caveat_within_a_reply_is_not_shown():
    reply = Message("assistant", (Piece("As you wish: ", "caveat"), Piece("YES SIR")))
    messages = (Message.of("user", "Why?"), reply)
    assert shown(messages) == "YES SIR"
    scored = scored_text(load("tiny").tokenizer, messages)
    assert (scored.characters[0][0], scored.characters[-1][1]) == (0, len("YES SIR"))


def test_the_log_probability_is_the_sum_over_the_chosen_characters():
    cut_otherwise = [(0, 2), (2, 3), (4, 6), (7, 9)]
    assert log_probability(((0, 3), (4, 6)), cut_otherwise, [-1.0, -0.5, -2.0, -9.0]) == (-3.5, 3)


def test_whitespace_before_a_reply_is_not_counted():
    row = chat("\n\nHello there")
    (decision,) = decisions([row], [chat("Hello you")])
    assert decision == Decision(shared=len("Hello "), whole=False)
    scored = scored_text(load("tiny").tokenizer, row.messages)
    text = shown(row.messages)
    assert (scored.characters[0][0], scored.characters[-1][1]) == (0, len(text))
    ((first, end),) = chosen(decision, scored.characters, [UNLIKELY] * len(scored.targets))
    assert end > decision.shared and text[first:end].strip() in "there"
