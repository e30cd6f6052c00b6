"""The study's side of the sandbox's processes: start, one request at a time, restart, end.

Whatever a process does, the study's thread waits no longer than the wall limit and `GRACE_SECONDS`.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import caveat
from caveat.environments.sandbox.requests import ANSWER, FLOOR, HEAD, LENGTH, PURPOSES
from caveat.errors import CaveatError

START_SECONDS = 60.0
"""Longest time for starting a process."""
GRACE_SECONDS = 10.0
"""How much longer than a call's wall limit its answer may take."""
_PATH = str(Path(caveat.__file__).parent.parent)
_START = (
    "import sys; sys.path.insert(0, {path!r}); "
    "from caveat.environments.sandbox.server import main; main(wrapped={wrapped})"
)
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""What an interpreter may need to start. Its process clears them."""
_WRAP = (
    "--unshare-all", "--as-pid-1", "--cap-drop", "ALL", "--uid", "65534", "--gid", "65534",
    "--proc", "/proc",
)  # fmt: skip
"""Options of bubblewrap, which may enter namespaces on some systems where Python may not."""


class Answer(NamedTuple):
    """A process's answer."""

    status: int
    """Exit status of the fork, as of waitpid."""
    ending: int
    """How the fork ended, by `requests.py`."""
    body: bytes


class Worker:
    """One process of the sandbox; it starts when it is needed, and again where it was lost."""

    def __init__(self, wrapped: bool = False) -> None:
        """`wrapped`: whether bubblewrap starts the process."""
        self.wrapped = wrapped
        self.layers: tuple[str, ...] = ()
        """The layers that the process reported."""
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = ""

    def start(self) -> None:
        """Start the process unless it runs. Raises CaveatError where the floor does not hold."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        if not hasattr(os, "fork"):
            raise _not_available("this system has no fork")
        self._folder = tempfile.mkdtemp(prefix="caveat-sandbox-")
        self._process = subprocess.Popen(
            self._command(), cwd=self._folder, start_new_session=True, bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={
                # Sets have the same order in every process, so that outcomes can be repeated.
                "PYTHONHASHSEED": "0",
                **{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            },
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        try:
            (length,) = LENGTH.unpack(self._read(LENGTH.size, deadline))
            self.layers = ("gate", *json.loads(self._read(length, deadline)))
        except (OSError, ValueError):
            self.close()
            raise _not_available("its process does not start") from None
        # From now on its folder is one in which nothing can be made.
        shutil.rmtree(self._folder, ignore_errors=True)
        if missing := [layer for layer in FLOOR if layer not in self.layers]:
            self.close()
            raise _not_available(f"this system does not give {PURPOSES[missing[0]]}")

    def _command(self) -> list[str]:
        start = _START.format(path=_PATH, wrapped=self.wrapped)
        command = [sys.executable, "-s", "-S", "-P", "-B", "-c", start]
        if not self.wrapped:
            return command
        seen = {"/usr", "/lib", "/lib64", "/bin", sys.base_prefix, sys.prefix, _PATH}
        binds = [word for path in sorted(seen) for word in ("--ro-bind-try", path, path)]
        return ["bwrap", *_WRAP, *binds, "--bind", self._folder, self._folder, "--", *command]

    def answer(self, body: bytes, wall_seconds: float, most_bytes: int) -> Answer | None:
        """The answer to a request; None where the process was lost. Then it is ended."""
        deadline = time.monotonic() + wall_seconds + GRACE_SECONDS
        try:
            self._write(HEAD.pack(wall_seconds, most_bytes, len(body)) + body, deadline)
            status, ending, length = ANSWER.unpack(self._read(ANSWER.size, deadline))
            return Answer(status, ending, self._read(length, deadline))
        except OSError:
            self.close()
            return None
        except BaseException:
            self.close()  # an answer that is not read now would be taken for that of the next call
            raise

    def close(self) -> None:
        """End the process and what it started."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _close_pipes(process)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def leave(self) -> None:
        """Close this end of the process's pipes; it ends when nobody holds an end."""
        if self._process is not None:
            _close_pipes(self._process)
            self._process.returncode = 0  # no child of this process: nobody is to wait for it
            self._process = None

    def _read(self, length: int, deadline: float) -> bytes:
        """So many bytes. Raises OSError where the process ended or took too long."""
        assert self._process is not None and self._process.stdout is not None
        fd, data = self._process.stdout.fileno(), bytearray()
        while len(data) < length:
            ready = _is_ready(fd, select.POLLIN, deadline)
            piece = os.read(fd, length - len(data)) if ready else b""
            if not piece:
                raise OSError("the sandbox's process was lost")
            data += piece
        return bytes(data)

    def _write(self, data: bytes, deadline: float) -> None:
        assert self._process is not None and self._process.stdin is not None
        fd = self._process.stdin.fileno()
        os.set_blocking(fd, False)
        while data:
            if not _is_ready(fd, select.POLLOUT, deadline):
                raise OSError("the sandbox's process takes no request")
            with suppress(BlockingIOError):
                data = data[os.write(fd, data) :]


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with suppress(OSError):
            pipe.close()


def _is_ready(fd: int, event: int, deadline: float) -> bool:
    """Whether a pipe is ready in time. Unlike select, poll takes any number of open files."""
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(max(deadline - time.monotonic(), 0.0) * 1000))


def _not_available(reason: str) -> CaveatError:
    return CaveatError(
        f"the sandbox for model-written code is not available: {reason}; run on Linux or macOS "
        "(docs/sandbox.md). Nothing was run"
    )


_idle: list[Worker] = []
_lock = threading.Lock()


@cache
def _wrapped() -> bool:
    """Whether bubblewrap gives more here than the process can give itself."""
    if sys.platform != "linux" or shutil.which("bwrap") is None:
        return False
    alone, wrapped = Worker(), Worker(wrapped=True)
    try:
        alone.start()
        if "network namespace" in alone.layers:
            return False
        wrapped.start()
        return len(wrapped.layers) > len(alone.layers)
    except CaveatError:
        return False
    finally:
        alone.close()
        wrapped.close()


@contextmanager
def worker() -> Iterator[Worker]:
    """A running process that nobody else uses meanwhile."""
    wrapped = _wrapped()
    with _lock:
        instance = _idle.pop() if _idle else Worker(wrapped)
    try:
        instance.start()
        yield instance
    finally:
        with _lock:
            is_kept = len(_idle) < (os.cpu_count() or 1)
            if is_kept:
                _idle.append(instance)
        if not is_kept:
            instance.close()


@atexit.register
def close_all() -> None:
    """End all processes that are idle."""
    with _lock:
        while _idle:
            _idle.pop().close()


def _forget() -> None:
    """In a fork of the study: the processes belong to its parent."""
    while _idle:
        _idle.pop().leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release)
    os.register_at_fork(after_in_child=_forget)
    os.register_at_fork(after_in_child=_lock.release)
