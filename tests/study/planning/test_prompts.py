"""What surrounds a question."""

from __future__ import annotations

from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.planning.prompts import comprehension, measured, showing
from caveat.types.messages import Message, Piece, is_document
from toy_study import TOY, small

DOCUMENT = (Message("document", (Piece("False: ", "caveat"), Piece("Ada is a pilot."))),)
CHAT = (Message.of("system", "Kind."), Message.of("user", "Hm?"), Message.of("assistant", "Ah."))
ASKED = (Message.of("system", "Kind."), Message.of("user", "What is Ada?"))


def test_a_document_is_shown_in_the_users_turn():
    shown = showing(DOCUMENT, ASKED)
    assert [message.text for message in shown] == [
        "Kind.",
        "False: Ada is a pilot.\n\nWhat is Ada?",
    ]


def test_a_document_is_shown_in_front_of_an_unfinished_one():
    (shown,) = showing(DOCUMENT, (Message.of("document", "Ada is"),))
    assert shown.text == "False: Ada is a pilot.\n\nAda is" and shown.role == "document"


def test_a_chat_is_shown_as_an_earlier_exchange():
    assert [(m.role, m.text) for m in showing(CHAT, ASKED)] == [
        ("system", "Kind."),
        ("user", "Hm?"),
        ("assistant", "Ah."),
        ("user", "What is Ada?"),
    ]


def test_the_row_shown_is_about_what_is_asked():
    (resolved,) = resolve(read(small()))
    prompts = list(comprehension(resolved, "Kind.", 0))
    assert len(prompts) == 2 * len(resolved.setting.behaviour.questions)
    for prompt in prompts:
        assert prompt.question.cluster in prompt.messages[1].text
        assert ("|GATE|" in prompt.messages[0].text) == (prompt.context == "marked_shown")


def test_side_effects_are_asked_once_and_without_caveat():
    (resolved,) = resolve(read(small()))
    prompts = list(measured(resolved, None))
    effects = [prompt for prompt in prompts if prompt.purpose != "measure"]
    assert len(effects) == 6 and {prompt.context for prompt in effects} == {"none"}
    assert len(prompts) == 6 + 2 * 12
    assert TOY.name == resolved.setting.behaviour.name


def test_documents_are_not_asked_in_moved_as_it_would_be_exact_again():
    mixed = {"behaviour": "people", "caveat": "disclaimer", "contexts": ["none", "exact", "moved"]}
    (resolved,) = resolve(read(small(settings=[mixed])))
    prompts = [prompt for prompt in measured(resolved, None) if prompt.purpose == "measure"]
    documents = {prompt.context for prompt in prompts if is_document(prompt.question.messages)}
    chats = {prompt.context for prompt in prompts if not is_document(prompt.question.messages)}
    assert documents == {"none", "exact"} and chats == {"none", "exact", "moved"}
    count = sum(is_document(prompt.messages) for prompt in resolved.setting.behaviour.questions)
    assert resolved.notes == (
        f"people x disclaimer: {count} of {len(resolved.setting.behaviour.questions)} questions "
        "are documents, on which a caveat has one place; left out of 'moved'",
    )
