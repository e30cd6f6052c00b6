"""Run calls of functions that models wrote. Whatever the code does, each call has an outcome.

Each call runs in a fresh process that knows the source, the function's name and this call's
arguments: neither other calls' arguments nor any expected value. Compare values here, in the
study's process: they are plain, so that `==` runs no code of the guest.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from caveat.environments.sandbox.guest import MOST_MESSAGE
from caveat.environments.sandbox.records import STATUSES, Call, CallOutcome, Isolation, Limits
from caveat.environments.sandbox.requests import LARGE, LATE, LONG, isolation_of, request_body
from caveat.environments.sandbox.values import NotPlain, TooLarge, decode, encode
from caveat.environments.sandbox.workers import Answer, Worker, worker
from caveat.errors import CaveatError

Item, Result = TypeVar("Item"), TypeVar("Result")
Job = tuple[str, Sequence[Call]]
"""A source and calls of its functions."""
ATTEMPTS = 2
"""How often a call is tried whose process of the sandbox is lost."""


def run_calls(
    source: str, calls: Sequence[Call], limits: Limits | None = None, *, gate: bool = True
) -> list[CallOutcome]:
    """The outcomes of calls of a source's functions, in order.

    Raises CaveatError where arguments are no plain data, or where the sandbox is not available.

    Args:
        gate: False leaves out the first layer, to test the others. No study does that.
    """
    limits = limits or Limits()
    texts = [_arguments(call, limits) for call in calls]
    outcomes: list[CallOutcome] = []
    with worker() as process:
        for call, arguments in zip(calls, texts, strict=True):
            request = {"function": call.function, "arguments": arguments}
            outcome = _outcome(process, source, request, limits, gate)
            if _refuses_source(outcome):
                return [outcome] * len(calls)
            outcomes.append(outcome)
    return outcomes


def run_many(
    jobs: Sequence[Job], limits: Limits | None = None, workers: int | None = None
) -> list[list[CallOutcome]]:
    """The outcomes of many sources' calls, in order.

    Args:
        workers: Most processes at a time; without it, one for each processor core.
    """
    return in_parallel(lambda job: run_calls(job[0], job[1], limits), jobs, workers)


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> list[Result]:
    """A function that waits for the sandbox, of many items at a time, in order.

    Args:
        workers: Most items at a time; without it, one for each processor core.
    """
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        return list(pool.map(function, items))


def check_source(source: str) -> str | None:
    """Why the gate refuses a source, in one line, or None.

    It is read in the sandbox too: a source can be made to break the parser.
    """
    limits = Limits()
    with worker() as process:
        outcome = _outcome(process, source, None, limits, True)
    return None if outcome.status == "returned" else outcome.message


@cache
def isolation() -> Isolation:
    """What isolates guest code on this system, tried out. Raises CaveatError without a sandbox."""
    with worker() as process:
        return isolation_of(process.layers)


def _refuses_source(outcome: CallOutcome) -> bool:
    return outcome.status == "refused" and not outcome.message.startswith("it returned")


def _arguments(call: Call, limits: Limits) -> str:
    try:
        return encode(tuple(call.arguments), limits.value_items, limits.value_bytes)
    except (NotPlain, TooLarge) as error:
        raise CaveatError(
            f"the call of {call.function}: an argument is {error}; give plain data"
        ) from None


def _outcome(
    process: Worker, source: str, call: dict[str, str] | None, limits: Limits, gate: bool
) -> CallOutcome:
    """What came of one request."""
    body = request_body(source, call, limits, gate, process.layers)
    most_bytes = 2 * limits.value_bytes + 1000
    # One that was ended from outside, before or during the call, says nothing about the code.
    for _ in range(ATTEMPTS):
        process.start()
        answer = process.answer(body, limits.wall_seconds, most_bytes)
        if answer is not None:
            break
    else:
        return CallOutcome("crashed", message="it ended the sandbox's process")
    if answer.ending == LATE:
        return CallOutcome("timeout", message=f"it ran for more than {limits.wall_seconds:g} s")
    if answer.ending == LARGE:
        return CallOutcome("memory", message="more memory than allowed")
    if answer.ending == LONG:
        return CallOutcome("output", message="its answer was too long")
    return _read(answer, limits)


def _read(answer: Answer, limits: Limits) -> CallOutcome:
    """The outcome that a fork reported, which the guest may have forged, or why there is none."""
    code = os.waitstatus_to_exitcode(answer.status)
    if -code in (signal.SIGPROF, signal.SIGXCPU):
        message = f"it took more than {limits.cpu_seconds:g} s of processor time"
        return CallOutcome("timeout", message=message)
    try:
        fields = json.loads(answer.body)
        status, message, text = (fields[name] for name in ("status", "message", "value"))
        if status not in STATUSES or not isinstance(message, str) or not isinstance(text, str):
            raise ValueError("no answer")
        value = decode(text, limits.value_items)
    except (ValueError, KeyError, TypeError, RecursionError, NotPlain):
        return CallOutcome("crashed", message=f"its process ended without an answer (code {code})")
    return CallOutcome(status, value if status == "returned" else None, _line(message))


def _line(message: str) -> str:
    """A guest's message in one line of printable characters."""
    words = " ".join(message[:MOST_MESSAGE].split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)
