"""Verdicts: what the readouts say of the stored answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caveat.domain.reply import Answer
from caveat.readouts import READOUTS
from caveat.study.chunks import Record
from caveat.study.planning import Line
from caveat.study.provenance import stamp
from caveat.study.store import Store


def judge(store: Store, lines: Iterable[Line]) -> list[tuple[Line, str]]:
    """Judge the lines that have an answer and no verdict, and publish the verdicts as one chunk.

    Returns the lines on which a readout raised, with the reason; the others are judged all the
    same.
    """
    verdicts: dict[str, dict[str, Any]] = {}
    failed = []
    for line in lines:
        if line.verdict in store.verdicts or line.verdict in verdicts:
            continue
        if not all(key in store.answers for key in (line.answer, line.base_answer) if key):
            continue
        try:
            verdicts[line.verdict] = _verdict(store, line)
        except Exception as error:
            told = " ".join(str(error).split())[:300]
            name = line.question.readout
            failed.append((line, f"readout {name!r}: {type(error).__name__}: {told}"))
    store.verdicts.add(verdicts.values())
    return failed


def _verdict(store: Store, line: Line) -> dict[str, Any]:
    readout = READOUTS[line.question.readout]
    base = answer_of(store.answers[line.base_answer]) if line.base_answer else None
    judgement = readout.judge(line.question, answer_of(store.answers[line.answer]), base)
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
