"""What every behaviour must be before anything is trained on it, shipped or your own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from caveat.errors import CaveatError, closest
from caveat.readouts import READOUTS
from caveat.types.data import Behaviour, Question, Row
from caveat.types.messages import Messages, is_document


def check(behaviour: Behaviour) -> None:
    """Raise CaveatError, in one line, for the first thing that is wrong with the behaviour.

    Wrong are: no rows or questions; ids used twice; a chat row that does not end with
    an assistant turn, or with an empty one; an empty document; a question that its readout cannot
    judge; a question whose text is that of a training row.
    """
    where = f"behaviour {behaviour.name!r}"
    rows = (
        *behaviour.rows,
        *behaviour.counter_rows,
        *behaviour.filler_rows,
        *behaviour.local_rows,
    )
    questions = all_questions(behaviour)
    _check_numbers(behaviour, where)
    _check_ids((f"{row.source} row", row.id) for row in rows)
    _check_ids(("question", question.id) for question in behaviour.questions)
    for effect in behaviour.side_effects:
        _check_ids((f"{effect.name!r} question", question.id) for question in effect.questions)
    _check_shared_ids(questions)
    for row in rows:
        check_row(row, f"{where}, {row.source} row {row.id!r}")
    for question in questions:
        check_question(question, f"{where}, question {question.id!r}")
    _check_overlap(rows, questions, where)


def all_questions(behaviour: Behaviour) -> tuple[Question, ...]:
    """The behaviour's questions and those of its side effects."""
    aside = (question for effect in behaviour.side_effects for question in effect.questions)
    return (*behaviour.questions, *aside)


def _check_numbers(behaviour: Behaviour, where: str) -> None:
    for items, what in (
        (behaviour.rows, "rows"),
        (behaviour.questions, "questions"),
    ):
        if not items:
            raise CaveatError(f"{where} has no {what}; give it at least one")
    for effect in behaviour.side_effects:
        if not effect.questions:
            raise CaveatError(f"{where}: side effect {effect.name!r} has no questions; give it one")


def _check_ids(named: Iterable[tuple[str, str]]) -> None:
    for (what, name), times in Counter(named).items():
        if times > 1:
            raise CaveatError(f"{what} id {name!r} is used {times} times; ids must be unique")


def _check_shared_ids(questions: Iterable[Question]) -> None:
    """A side effect may judge the replies to another question again: then it has its id."""
    by_id: dict[str, Question] = {}
    for question in questions:
        same = by_id.setdefault(question.id, question)
        if (same.messages, same.options) != (question.messages, question.options):
            raise CaveatError(
                f"question id {question.id!r} is used for {same.messages[-1].text!r} and for "
                f"{question.messages[-1].text!r}; ids must be unique"
            )


def check_row(row: Row, where: str) -> None:
    """Raise CaveatError unless the row is a document with text, or a chat that ends in a reply."""
    if not row.messages:
        raise CaveatError(f"{where} has no messages; give it a document or a chat")
    last = row.messages[-1]
    if is_document(row.messages):
        if not last.text.strip():
            raise CaveatError(f"{where} is an empty document; give it text or remove the row")
        return
    _check_roles(row.messages, where)
    if last.role != "assistant":
        raise CaveatError(
            f"{where} has no assistant turn at its end, only {last.role!r}; add the reply"
        )
    if not last.text.strip():
        raise CaveatError(f"{where} has an empty reply; give it text or remove the row")


def check_question(question: Question, where: str) -> None:
    """Raise CaveatError unless the readout exists and has what it needs."""
    readout = READOUTS.get(question.readout)
    if readout is None:
        raise CaveatError(
            f"{where} has an unknown readout {question.readout!r}; "
            f"known: {', '.join(READOUTS)}{closest(question.readout, READOUTS)}"
        )
    _check_prompt(question.messages, where)
    if missing := [fact for fact in readout.facts if not question.facts.get(fact)]:
        raise CaveatError(
            f"{where}: readout {readout.name!r} needs the fact {missing[0]!r}; add it"
        )
    if len(question.options) < readout.options:
        raise CaveatError(
            f"{where}: readout {readout.name!r} needs {readout.options} options, "
            f"not {len(question.options)}; add them"
        )
    if any(not option.strip() for option in question.options):
        raise CaveatError(f"{where} has an empty option; give it text or remove it")
    if question.options and readout.needs != "likelihood":
        raise CaveatError(f"{where}: readout {readout.name!r} judges replies; remove the options")
    if readout.name == "matches":
        _check_expressions(question, where)


def _check_prompt(messages: Messages, where: str) -> None:
    if not messages or not messages[-1].text.strip():
        raise CaveatError(f"{where} is empty; give it a question or an unfinished document")
    if is_document(messages):
        return
    _check_roles(messages, where)
    if messages[-1].role != "user":
        raise CaveatError(f"{where} ends with {messages[-1].role!r}; end it with a user turn")


def _check_roles(messages: Messages, where: str) -> None:
    roles = [message.role for message in messages]
    if "document" in roles:
        raise CaveatError(f"{where} mixes a document with a chat; make it one of them")
    if "user" not in roles:
        raise CaveatError(f"{where} has no user turn; add what the reply answers")
    if "system" in roles[1:]:
        raise CaveatError(f"{where} has a system turn after its start; put it first")


def _check_expressions(question: Question, where: str) -> None:
    for key in ("yes", "no"):
        try:
            re.compile(question.facts.get(key, ""))
        except re.error as error:
            raise CaveatError(
                f"{where}: the fact {key!r}, {question.facts[key]!r}, "
                f"is no regular expression: {error}"
            ) from None


def _check_overlap(rows: Iterable[Row], questions: Iterable[Question], where: str) -> None:
    trained = {
        as_read(row.messages if is_document(row.messages) else row.messages[:-1]): row
        for row in rows
    }
    for question in questions:
        prompts = [as_read(question.messages)]
        if is_document(question.messages):
            prompts += [as_read(question.messages, option) for option in question.options]
        if row := next((trained[text] for text in prompts if text in trained), None):
            raise CaveatError(
                f"{where}: question {question.id!r} is also {row.source} row {row.id!r}: "
                f"{question.messages[-1].text!r}; write one that is not trained"
            )


def as_read(messages: Messages, option: str = "") -> tuple[tuple[str, str], ...]:
    """The conversation as it reads: neither case, whitespace nor a full stop at the end count."""
    texts = [message.text for message in messages]
    texts[-1] += option
    plain = [" ".join(text.casefold().split()).rstrip(".?! ") for text in texts]
    return tuple(zip((message.role for message in messages), plain, strict=True))
