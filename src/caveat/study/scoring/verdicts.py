"""Verdicts: what the readouts say of the stored answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from caveat.provenance import stamp
from caveat.readouts import READOUTS
from caveat.study.planning.study_plan import Line
from caveat.study.scoring.judge_session import JudgeRequest, JudgeSession, unheard
from caveat.study.storage.records import Record
from caveat.study.storage.store import Store
from caveat.types.answers import Answer
from caveat.types.messages import Messages


def judge(
    store: Store,
    lines: Iterable[Line],
    judge_session: JudgeSession | None = None,
    heard: Callable[[int, int], None] = unheard,
) -> list[tuple[Line, str]]:
    """Judge the lines that have an answer and no verdict, and publish the verdicts as one chunk.

    Returns the lines on which a readout raised, or of which a judge said nothing usable, with the
    reason; the others are judged all the same.

    Args:
        inquirer: Asks the judge, for readouts that need one.
        heard: Gets the number of inquiries to the judge that are done, and of all.
    """
    due = {line.verdict: line for line in lines if _is_due(store, line)}
    failed: dict[str, str] = {}
    inquiries = dict(_inquiries(store, due, failed))
    said: dict[Messages, Answer] = {}
    if inquiries and judge_session is not None:
        said, unsaid = judge_session.judge_replies(list(inquiries.values()), heard)
        for key, inquiry in inquiries.items():
            if inquiry.messages in unsaid:
                failed[key] = _reason(due[key], unsaid[inquiry.messages])
    verdicts = []
    for key, line in due.items():
        if key not in failed:
            with _noted(line, failed):
                inquiry = inquiries.get(key)
                judge_reply = said[inquiry.messages] if inquiry else None
                judged_by = (
                    {"judge": judge_session.identity} if judge_reply and judge_session else {}
                )
                verdicts.append({**_verdict(store, line, judge_reply), **judged_by})
    store.verdicts.add(verdicts)
    return [(due[key], reason) for key, reason in failed.items()]


def _is_due(store: Store, line: Line) -> bool:
    if line.verdict in store.verdicts:
        return False
    return all(key in store.answers for key in (line.answer, line.base_answer) if key)


def _inquiries(
    store: Store, due: dict[str, Line], failed: dict[str, str]
) -> Iterator[tuple[str, JudgeRequest]]:
    """What a judge is to be asked, by the key of the verdict that it is asked for."""
    for key, line in due.items():
        readout, messages = READOUTS[line.question.readout], ()
        with _noted(line, failed):
            if readout.ask is not None:
                messages = readout.ask(line.question, answer_of(store.answers[line.answer]))
        if messages:
            yield key, JudgeRequest(messages, readout.ask_again, _check(store, line))


def _check(store: Store, line: Line) -> Callable[[Answer], Any]:
    readout, answer = READOUTS[line.question.readout], answer_of(store.answers[line.answer])
    return lambda said: readout.judge(line.question, answer, said)


@contextmanager
def _noted(line: Line, failed: dict[str, str]) -> Iterator[None]:
    """Note what a readout raises as the line's failure."""
    try:
        yield
    except Exception as error:
        told = " ".join(str(error).split())[:300]
        failed[line.verdict] = _reason(line, f"{type(error).__name__}: {told}")


def _reason(line: Line, told: str) -> str:
    return f"readout {line.question.readout!r}: {told}"


def _verdict(store: Store, line: Line, judge_reply: Answer | None) -> dict[str, Any]:
    readout = READOUTS[line.question.readout]
    base = answer_of(store.answers[line.base_answer]) if line.base_answer else None
    answer = answer_of(store.answers[line.answer])
    judgement = readout.judge(line.question, answer, base if judge_reply is None else judge_reply)
    return {
        "key": line.verdict,
        "answer": line.answer,
        "readout": readout.name,
        "version": readout.version,
        "verdict": str(judgement.verdict),
        "value": judgement.value,
        **stamp(),
    }


def answer_of(record: Record) -> Answer:
    """A stored answer."""
    return Answer(
        record["text"],
        record["truncated"],
        record["tokens"],
        tuple(record["log_likelihoods"]),
        tuple(record["option_tokens"]),
    )
