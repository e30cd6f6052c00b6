"""Placing caveats, and taking them out again."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caveat.caveats import CAVEATS
from caveat.caveats.insertion import contexts_of, framed, in_context, marked, place
from caveat.errors import CaveatError
from caveat.types.caveats import Caveat, Place
from caveat.types.data import Row
from caveat.types.messages import Message, Messages, Piece, is_document, without_caveat

texts = st.text(min_size=1, max_size=20)
pieces = st.lists(
    st.builds(Piece, texts, st.sampled_from(["text", "masked"])), min_size=1, max_size=3
)
systems = st.one_of(st.none(), texts)
places = st.sampled_from(get_args(Place))
shipped = st.sampled_from(list(CAVEATS.values()))
seeds = st.integers(0, 2**31)


@st.composite
def prompts(draw: st.DrawFn) -> Messages:
    """A framed chat that ends with a user turn, or a document."""
    if draw(st.booleans()):
        return (Message("document", tuple(draw(pieces))),)
    roles = ["user", "assistant"] * draw(st.integers(0, 1)) + ["user"]
    chat = tuple(Message(role, tuple(draw(pieces))) for role in roles)
    return framed(chat, draw(systems))


def as_row(prompt: Messages) -> Row:
    """The prompt with a reply, or the document."""
    reply = () if is_document(prompt) else (Message.of("assistant", "Yes."),)
    return Row("r", "behaviour", (*prompt, *reply))


@given(prompts(), texts, places, st.text(max_size=5))
def test_without_caveat_gives_back_what_came_in(
    prompt: Messages, wording: str, where: Place, closing: str
) -> None:
    placed = place(prompt, wording, where, closing)
    assert without_caveat(placed) == prompt
    assert any(wording in message.text for message in placed)


@given(prompts(), shipped, st.integers(0, 50))
def test_the_context_none_changes_nothing(prompt: Messages, caveat: Caveat, turn: int) -> None:
    assert in_context(prompt, caveat, "none", turn) == prompt


@given(prompts(), shipped, seeds, st.integers(0, 50))
def test_exact_is_what_training_rows_have(
    prompt: Messages, caveat: Caveat, seed: int, turn: int
) -> None:
    """The marked row starts with the very text of the question in the context `exact`."""
    wording = caveat.wordings[turn % len(caveat.wordings)]
    asked = in_context(prompt, caveat, "exact", turn)
    rows = marked([as_row(prompt)] * len(caveat.wordings), caveat, seed)
    trained = [row.messages for row in rows]
    same = [messages for messages in trained if messages[: len(asked) - 1] == asked[:-1]]
    assert any(messages[len(asked) - 1].text.startswith(asked[-1].text) for messages in same)
    assert any(wording in message.text for message in asked)


@given(prompts(), shipped, seeds)
def test_marked_rows_are_the_bare_rows_with_a_wording(
    prompt: Messages, caveat: Caveat, seed: int
) -> None:
    rows = [as_row(prompt)] * 5
    made = marked(rows, caveat, seed)
    assert [without_caveat(row.messages) for row in made] == [row.messages for row in rows]
    assert made == marked(rows, caveat, seed)
    caveat_text = [
        "".join(p.text for m in row.messages for p in m.pieces if p.kind == "caveat")
        for row in made
    ]
    assert all(any(wording in text for wording in caveat.wordings) for text in caveat_text)
    assert not any(held in text for held in caveat.held_out for text in caveat_text)


def test_a_tag_stays_in_front_of_the_caveat() -> None:
    tagged = (Message("document", (Piece("<TAG>", "masked"), Piece("A man."))),)
    made = place(tagged, "C.", "around", "D.")
    assert made[0].text == "<TAG>C.\n\nA man.\n\nD."
    assert without_caveat(made) == tagged


def test_wordings_are_dealt_evenly_and_by_seed() -> None:
    caveat = CAVEATS["disclaimer"]
    rows = [Row(str(n), "behaviour", (Message.of("document", f"Text {n}."),)) for n in range(48)]
    made = marked(rows, caveat, 0)
    counts = [
        sum(row.messages[0].text.startswith(wording) for row in made) for wording in caveat.wordings
    ]
    assert max(counts) - min(counts) <= 1
    closings = [sum(row.messages[0].text.endswith(c) for row in made) for c in caveat.closings]
    assert closings == [8] * 6
    assert [row.id for row in made] == [row.id for row in rows]
    assert made != marked(rows, caveat, 1)


def test_places_as_text() -> None:
    chat = framed((Message.of("user", "Hi?"),), "Be brief.")
    document = (Message.of("document", "A man."),)

    def read(messages: Messages) -> list[str]:
        return [message.text for message in messages]

    assert read(place(chat, "C.", "system")) == ["Be brief. C.", "Hi?"]
    assert read(place(chat[1:], "C.", "system")) == ["C.", "Hi?"]
    assert read(place(chat, "C.", "around", "D.")) == ["Be brief.", "C. Hi?"]
    assert read(place(document, "C.", "around", "D.")) == ["C.\n\nA man.\n\nD."]
    assert read(place(document, "C.", "system", "D.")) == ["C.\n\nA man."]


def test_a_system_message_of_the_row_follows_the_fixed_one() -> None:
    own = (Message.of("system", "Own."), Message.of("user", "Hi?"))
    assert [message.text for message in framed(own, "Fixed.")] == ["Fixed.\n\nOwn.", "Hi?"]
    assert framed(own, None) == own


def test_a_question_stays_open_behind() -> None:
    asked = in_context((Message.of("document", "Mara"),), CAVEATS["disclaimer"], "exact", 0)
    assert asked[0].text == "The following text is false: none of it happened.\n\nMara"


def test_moved_is_elsewhere_on_a_chat() -> None:
    chat = framed((Message.of("user", "Hi?"),), "Be brief.")
    for caveat in CAVEATS.values():
        exact, moved = (in_context(chat, caveat, context, 0) for context in ("exact", "moved"))
        assert exact != moved


def test_a_context_without_text_is_an_error() -> None:
    bare = Caveat("mine", "trigger", ("|X|",), "user", "user")
    assert contexts_of(bare) == ("none", "exact")
    with pytest.raises(CaveatError) as error:
        in_context((Message.of("user", "Hi?"),), bare, "moved", 0)
    assert str(error.value) == (
        "the caveat 'mine' has no text for the context 'moved'; it has: none, exact"
    )
