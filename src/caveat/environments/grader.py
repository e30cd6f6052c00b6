"""Grade replies with the functions of a reward task, in a process that may hang, die or print.

A process of our own and no pool of a library: it imports nothing of the script that runs the study,
and it ends with everything that it started (docs/log.md has the comparison with pebble).
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from caveat.environments.loading import module_of, version_of
from caveat.types.rewards import Grade, Graded, RewardTask

if TYPE_CHECKING:
    from caveat.environments.code_tasks.grading import CodeTask

SECONDS = 10.0
"""Longest time for grading one reply."""
MOST_SLOW = 3
"""After so many replies that took longer, no more are graded."""
START_SECONDS = 60.0
"""Longest time for starting the process."""


class GraderProcess:
    """The process of one reward task: restarted if it dies, but not if it is too often slow."""

    def __init__(self, module: str, version: str, seconds: float = SECONDS) -> None:
        """`module`: a module's name or a file's path. `seconds`: longest time for one reply."""
        self.module, self.version, self.seconds = module, version, seconds
        self._process: subprocess.Popen[str] | None = None
        self._failure = ""
        """Why the process is not started any more."""
        self._slow: dict[tuple[str, str], str] = {}
        """The failures of prompts and replies that took too long."""
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def grade(self, prompt: str, reply: str) -> Grade | str:
        """The grade, or in one line why there is none. A reply that was too slow is not retried."""
        if (prompt, reply) in self._slow:
            return self._slow[prompt, reply]
        if self._process is not None and self._process.poll() is not None:
            self._wait()  # it was ended from outside between two replies: neither is to blame
        if self._process is None and (failure := self._start()):
            return failure
        assert self._process is not None and self._process.stdin is not None
        try:
            request = json.dumps({"prompt": prompt, "reply": reply})
            print(request, file=self._process.stdin, flush=True)
            line = self._next_line(self.seconds)
        except OSError:
            line = ""
        if line is None:
            return self._too_slow(prompt, reply)
        if not line:
            code = self._wait()
            return f"its process ended (code {code}) on the reply {reply[:60]!r}; look at its task"
        fields = json.loads(line)
        return fields["error"] if "error" in fields else Grade(**fields)

    def _too_slow(self, prompt: str, reply: str) -> str:
        """End the process; after `MOST_SLOW` replies, for good."""
        self.close()
        took = f"took more than {self.seconds:g} s on"
        self._slow[prompt, reply] = f"{took} the reply {reply[:60]!r}; make it faster"
        if len(self._slow) == MOST_SLOW:
            self._failure = f"{took} {MOST_SLOW} replies; make it faster"
        return self._slow[prompt, reply]

    def close(self) -> None:
        """End the process and all that it started."""
        if self._process is not None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        """The exit code of the ending process. The thread that reads its output closes it."""
        assert self._process is not None
        process, self._process = self._process, None
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        return process.wait()

    def _start(self) -> str:
        """Start the process; "" or, in one line, why it cannot be. Then it is not tried again."""
        if self._failure:
            return self._failure
        process = subprocess.Popen(
            [sys.executable, "-m", "caveat.environments.grader_process",
             self.module, self.version, str(self.seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            start_new_session=True,
        )  # fmt: skip
        self._process, self._lines = process, queue.SimpleQueue()
        threading.Thread(target=_read_lines, args=(process, self._lines), daemon=True).start()
        line = self._next_line(START_SECONDS)
        if line == "ready":
            return ""
        self.close()
        self._failure = (
            f"the task {self.module} changed while the study ran; run it again"
            if line == "changed"
            else f"the task {self.module} could not be started; import it to see why"
        )
        return self._failure

    def _next_line(self, seconds: float) -> str | None:
        """The next line; "" where the process ended, None where it took too long."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None


def _read_lines(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            lines.put(line.strip())
    lines.put("")


@cache
def grader_of(module: str, version: str) -> GraderProcess:
    """The process of one version of a reward task; it ends with this process."""
    grader = GraderProcess(module, version)
    atexit.register(grader.close)
    return grader


def grades(replies: Sequence[Graded]) -> list[Grade | str]:
    """The grades of replies, in order, or in one line why a reply has none.

    Code is run in the sandbox by its task, several replies at a time; nothing of it runs here.
    """
    code = _grades_of_code(
        [reply for reply in dict.fromkeys(replies) if code_task_of(reply.task, reply.version)]
    )
    return [
        code[reply]
        if reply in code
        else grader_of(reply.task, reply.version).grade(reply.prompt, reply.reply)
        for reply in replies
    ]


def code_task_of(place: str, version: str) -> CodeTask | None:
    """The task that grades code itself; None for the functions of a user's module."""
    if place.endswith(".py"):
        return None
    return getattr(module_of(place, version), "TASK", None)


def sandbox_notes(tasks: Iterable[RewardTask | None]) -> tuple[str, ...]:
    """What the sandbox cannot keep away on this system, where replies to a task are code.

    Raises CaveatError where there is no sandbox: code is never run without it.
    """
    if not any(task and code_task_of(task.place, task.version) for task in tasks):
        return ()
    from caveat.environments.sandbox.run import isolation

    lost = isolation().lost
    if not lost:
        return ()
    return (
        "replies are run as code, and on this system only the sandbox's other layers defend "
        f"against what these would keep away: {'; '.join(lost)} (docs/sandbox.md)",
    )


def _grades_of_code(replies: Sequence[Graded]) -> dict[Graded, Grade | str]:
    grades: dict[Graded, Grade | str] = {}
    for place, version in dict.fromkeys((reply.task, reply.version) for reply in replies):
        batch = [reply for reply in replies if (reply.task, reply.version) == (place, version)]
        if version_of(place) != version:
            changed = f"the task {place} changed while the study ran; run it again"
            grades |= dict.fromkeys(batch, changed)
            continue
        task = code_task_of(place, version)
        assert task is not None
        results = task.grades([(reply.prompt, reply.reply) for reply in batch])
        grades |= dict(zip(batch, results, strict=True))
    return grades
