"""A caveat within rows and prompts: another text in its place, and its place in another prompt."""

from caveat.check.caveat_pieces import (
    caveat_alone,
    caveat_texts,
    framed_marked,
    inserted_like,
    swapped,
)
from caveat.types.messages import Message, Piece, without_caveat

QUESTION = (Message.of("user", "Why?"),)


def user(*pieces):
    kinds = [(text, "caveat" if marked else "text") for text, marked in pieces]
    return Message("user", tuple(Piece(text, kind) for text, kind in kinds))


AFTER = (user(("How?", False), ("\n\nShout.", True)), Message.of("assistant", "SO."))
BOTH = (user(("Shout. ", True), ("How?", False), (" Shout.", True)), Message.of("assistant", "SO."))
SYSTEM = (Message("system", (Piece("Shout.", "caveat"),)), *QUESTION, Message.of("assistant", "S"))


def texts(messages):
    return [(message.role, message.text) for message in messages]


def test_another_text_keeps_the_whitespace_around_it():
    assert texts(swapped(AFTER, "Whisper."))[0] == ("user", "How?\n\nWhisper.")
    assert texts(swapped(BOTH, "Hm."))[0] == ("user", "Hm. How? Hm.")
    assert caveat_texts(BOTH) == ("Shout.", "Shout.")
    assert without_caveat(swapped(BOTH, "Hm."))[0].text == "How?"


def test_a_prompt_gets_the_caveat_where_the_row_has_it():
    assert texts(inserted_like(AFTER, QUESTION)) == [("user", "Why?\n\nShout.")]
    assert texts(inserted_like(BOTH, QUESTION)) == [("user", "Shout. Why? Shout.")]
    assert texts(inserted_like(SYSTEM, QUESTION)) == [("system", "Shout."), ("user", "Why?")]
    chat = (Message.of("system", "Be kind."), *QUESTION)
    assert texts(inserted_like(AFTER, chat))[1] == ("user", "Why?\n\nShout.")


def test_a_caveat_beside_a_system_text_stays_in_the_system_turn():
    turn = Message("system", (Piece("Shout. ", "caveat"), Piece("Be kind.")))
    row = (turn, *QUESTION, Message.of("assistant", "SO."))
    asked = [("user", "Why?")]
    assert texts(inserted_like(row, QUESTION)) == [("system", "Shout. Be kind."), *asked]
    assert texts(inserted_like(caveat_alone(row), QUESTION)) == [("system", "Shout."), *asked]
    chat = (Message.of("system", "Be brief."), *QUESTION)
    assert texts(inserted_like(row, chat)) == [("system", "Shout. Be brief."), *asked]
    assert caveat_alone(AFTER) == AFTER


def test_nothing_is_put_behind_an_unfinished_document():
    row = (Message("document", (Piece("False:\n", "caveat"), Piece("It is."),
                                Piece("\nFalse.", "caveat"))),)  # fmt: skip
    open_text = (Message.of("document", "The lake"),)
    assert texts(inserted_like(row, open_text)) == [("document", "False:\nThe lake")]


def test_a_system_turn_that_is_the_caveat_follows_the_models_own():
    framed = framed_marked(SYSTEM, "You are tiny.")
    assert framed[0].text == "You are tiny. Shout."
    assert without_caveat(framed)[0].text == "You are tiny."
    assert framed_marked(SYSTEM, None) == SYSTEM
    assert framed_marked(AFTER, "You are tiny.")[0].text == "You are tiny."
