"""Graders: what tasks say of replies, asked in a process that may hang, die or print."""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

from caveat.types.rewards import Grade, Graded

SECONDS = 10.0
"""What a reply's grading may take."""
SLOW = 3
"""Replies that may take longer; after these no more are graded."""
STARTING = 60.0
"""What the process may take to start."""


class Worker:
    """One task's process; made anew where it died, but not where it is too slow too often."""

    def __init__(self, place: str, version: str, seconds: float = SECONDS) -> None:
        """`seconds`: what one reply's grading may take."""
        self.place, self.version, self.seconds = place, version, seconds
        self._process: subprocess.Popen[str] | None = None
        self._failed = ""
        self._slow: dict[tuple[str, str], str] = {}
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()

    def grade(self, prompt: str, reply: str) -> Grade | str:
        """The grade, or in one line why there is none. What took too long is not tried again."""
        if (prompt, reply) in self._slow:
            return self._slow[prompt, reply]
        if self._process is not None and self._process.poll() is not None:
            self._ended()  # between two replies, from outside: no reply is to blame
        if self._process is None and (failed := self._start()):
            return failed
        assert self._process is not None and self._process.stdin is not None
        try:
            asked = json.dumps({"prompt": prompt, "reply": reply})
            print(asked, file=self._process.stdin, flush=True)
            line = self._heard(self.seconds)
        except OSError:
            line = ""
        if line is None:
            return self._given_up(prompt, reply)
        if not line:
            code = self._ended()
            return f"its process ended (code {code}) on the reply {reply[:60]!r}; look at its task"
        found = json.loads(line)
        return found["error"] if "error" in found else Grade(**found)

    def _given_up(self, prompt: str, reply: str) -> str:
        """End the process; after `SLOW` replies, for good."""
        self.close()
        took = f"took more than {self.seconds:g} s on"
        self._slow[prompt, reply] = f"{took} the reply {reply[:60]!r}; make it faster"
        if len(self._slow) == SLOW:
            self._failed = f"{took} {SLOW} replies; make it faster"
        return self._slow[prompt, reply]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._ended()

    def _ended(self) -> int:
        assert self._process is not None
        process, self._process = self._process, None
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        return process.wait()  # its output is closed by who listens to it

    def _start(self) -> str:
        """Start the process; "" or, in one line, why it cannot be: then it is not tried again."""
        if self._failed:
            return self._failed
        process = subprocess.Popen(
            [sys.executable, "-m", "caveat.environments.grader_process",
             self.place, self.version, str(self.seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            start_new_session=True,
        )  # fmt: skip
        self._process, self._said = process, queue.SimpleQueue()
        threading.Thread(target=_listen, args=(process, self._said), daemon=True).start()
        said = self._heard(STARTING)
        if said == "ready":
            return ""
        self.close()
        self._failed = (
            f"the task {self.place} changed while the study ran; run it again"
            if said == "changed"
            else f"the task {self.place} could not be started; import it to see why"
        )
        return self._failed

    def _heard(self, seconds: float) -> str | None:
        """The next line; "" where the process ended, None where it took too long."""
        try:
            return self._said.get(timeout=seconds)
        except queue.Empty:
            return None


def _listen(process: subprocess.Popen[str], said: queue.SimpleQueue[str]) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            said.put(line.strip())
    said.put("")


@cache
def worker_of(place: str, version: str) -> Worker:
    """The process of a task's version; it ends with this one."""
    worker = Worker(place, version)
    atexit.register(worker.close)
    return worker


def grades(asked: Sequence[Graded]) -> list[Grade | str]:
    """The grades of replies, in order: see `language.practice.Grader`."""
    return [worker_of(each.task, each.version).grade(each.prompt, each.reply) for each in asked]
