"""Score stored answers: apply the questions' readouts and store the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from caveat.files.journal import Record
from caveat.provenance import stamp
from caveat.readouts import READOUTS
from caveat.study.planning.study_plan import Line
from caveat.study.scoring.judge_session import (
    JudgeRequest,
    JudgeSession,
    OnProgress,
    ignore_progress,
)
from caveat.study.storage.store import Store
from caveat.types.answers import Answer
from caveat.types.messages import Messages


def score_answers(
    store: Store,
    lines: Iterable[Line],
    judge_session: JudgeSession | None = None,
    on_progress: OnProgress = ignore_progress,
) -> list[tuple[Line, str]]:
    """Score the lines that have an answer and no verdict, and store the verdicts as one chunk.

    Returns the lines whose readout raised, or whose judge gave no usable reply, with the reason;
    the others are scored all the same.

    Args:
        judge_session: Sends the requests of readouts that need a judge.
        on_progress: Gets the number of requests to the judge that are done, and of all.
    """
    due = {line.verdict: line for line in lines if _is_due(store, line)}
    failures: dict[str, str] = {}
    requests = dict(_judge_requests(store, due, failures))
    replies: dict[Messages, Answer] = {}
    if requests and judge_session is not None:
        replies, unanswered = judge_session.judge_replies(list(requests.values()), on_progress)
        for key, request in requests.items():
            if request.messages in unanswered:
                failures[key] = _reason(due[key], unanswered[request.messages])
    verdicts = []
    for key, line in due.items():
        if key not in failures:
            with _failure_noted(line, failures):
                request = requests.get(key)
                reply = replies[request.messages] if request else None
                judge = {"judge": judge_session.identity} if reply and judge_session else {}
                verdicts.append({**_verdict(store, line, reply), **judge})
    store.verdicts.add(verdicts)
    return [(due[key], reason) for key, reason in failures.items()]


def _is_due(store: Store, line: Line) -> bool:
    if line.verdict in store.verdicts:
        return False
    return all(key in store.answers for key in (line.answer, line.base_answer) if key)


def _judge_requests(
    store: Store, due: dict[str, Line], failures: dict[str, str]
) -> Iterator[tuple[str, JudgeRequest]]:
    """The requests to the judge, by the key of the verdict that each is for."""
    for key, line in due.items():
        readout, messages = READOUTS[line.question.readout], ()
        with _failure_noted(line, failures):
            if readout.judge_prompt is not None:
                answer = answer_of(store.answers[line.answer])
                messages = readout.judge_prompt(line.question, answer)
        if messages:
            yield key, JudgeRequest(messages, readout.judge_retry, _check(store, line))


def _check(store: Store, line: Line) -> Callable[[Answer], Any]:
    readout, answer = READOUTS[line.question.readout], answer_of(store.answers[line.answer])
    return lambda reply: readout.score(line.question, answer, reply)


@contextmanager
def _failure_noted(line: Line, failures: dict[str, str]) -> Iterator[None]:
    """Note what a readout raises as the line's failure."""
    try:
        yield
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        failures[line.verdict] = _reason(line, f"{type(error).__name__}: {message}")


def _reason(line: Line, message: str) -> str:
    return f"readout {line.question.readout!r}: {message}"


def _verdict(store: Store, line: Line, judge_reply: Answer | None) -> dict[str, Any]:
    """The record of a verdict, as it is stored."""
    readout = READOUTS[line.question.readout]
    base = answer_of(store.answers[line.base_answer]) if line.base_answer else None
    answer = answer_of(store.answers[line.answer])
    score = readout.score(line.question, answer, base if judge_reply is None else judge_reply)
    return {
        "key": line.verdict,
        "answer": line.answer,
        "readout": readout.name,
        "version": readout.version,
        "verdict": str(score.verdict),
        "value": score.value,
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
