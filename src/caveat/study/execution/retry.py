"""Running one group task so that its failure stays its own."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from caveat.backends.requests import Unusable
from caveat.errors import CaveatError
from caveat.files.atomic import Unwritable
from caveat.study.execution.context import Outcome, WorkerContext
from caveat.study.execution.jobs import Task
from caveat.study.execution.tasks import remaining
from caveat.study.storage.store import silent


def attempt(task: Task, worker_context: WorkerContext) -> Outcome:
    """Run a task; where it raises, its two parts, down to the parts that fail and nothing else.

    What was published before the exception is not made again. The first exception is reported.

    Raises Unwritable, and Unusable where the backend can do nothing more.
    """
    return _attempt(task, worker_context, worker_context.progress.say)


def _attempt(task: Task, worker_context: WorkerContext, say: Callable[[str], None]) -> Outcome:
    try:
        return task.run(worker_context)
    except (Unwritable, Unusable):
        raise
    except Exception as error:
        reason, message = _reason(error), _message(error)
    # Out here the exception is gone, and with it the frames that held the failed work's memory.
    parts = task.split()
    if not parts:
        return Outcome(((task.keys[0], reason),))
    worker_context.backend.release()
    say(f"{message}: the group is split and retried")
    left = [part for half in parts if (part := remaining(half, worker_context.store)) is not None]
    outcomes = [_attempt(part, worker_context, silent) for part in left]
    return Outcome(tuple(failure for outcome in outcomes for failure in outcome.failures))


def _reason(error: Exception) -> str:
    """One line; a mistake of this library's, or of an extension's, is reported with its place."""
    if isinstance(error, CaveatError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    message = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {message} ({place.name}, line {place.lineno})"


def _message(error: Exception) -> str:
    return "out of memory" if isinstance(error, MemoryError) else _reason(error)
