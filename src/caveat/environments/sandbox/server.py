"""The sandbox's process: it forks for each call, and never looks at what it passes on.

It imports all that guest code may need, confines itself, and answers requests from its standard
input one at a time. A request is a head of fixed size and a body that only the fork reads. A fork
has no memory of other calls, and ends with its call. The process ends when the study's is gone.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from caveat.environments.sandbox.confinement import address_space, confine_call, confine_server
from caveat.environments.sandbox.guest import run_request
from caveat.environments.sandbox.names import stand_ins
from caveat.environments.sandbox.records import Limits
from caveat.environments.sandbox.requests import ANSWER, ENDED, HEAD, LARGE, LATE, LENGTH, LONG
from caveat.environments.sandbox.seccomp import Seccomp

WATCH_SECONDS = 0.1
"""Seconds between looks at a fork's memory, where the kernel does not limit it."""
_LATER = (
    "encodings.utf_8", "encodings.latin_1", "encodings.ascii", "encodings.utf_16",
    "encodings.utf_32", "encodings.unicode_escape", "encodings.rot_13", "encodings.hex_codec",
    "unicodedata", "copyreg",
)  # fmt: skip
"""Modules that Python would load later by itself, when no file can be opened any more."""


class StudyGone(Exception):
    """The study's process ended."""


def main(wrapped: bool = False) -> NoReturn:
    """Confine this process, report the layers, and answer until the input ends."""
    warnings.simplefilter("ignore")  # about guest code: they would be written, with its lines
    for name in _LATER:
        importlib.import_module(name)
    modules = stand_ins()
    seccomp = Seccomp()
    address_space()
    layers = confine_server(seccomp, wrapped)
    sys.path[:] = []
    os.environ.clear()
    gc.collect()
    gc.freeze()

    def probe(fd: int) -> None:
        taken, result_fd = confine_call(Limits(), seccomp, fd)
        os.write(result_fd, json.dumps(taken).encode())

    with suppress(StudyGone):
        _, _, answer = forked(probe, Limits().wall_seconds, 10_000)
        with suppress(ValueError):
            layers += json.loads(answer)
        report = json.dumps(layers).encode()
        _write(LENGTH.pack(len(report)) + report)
        while head := _read(HEAD.size):
            wall_seconds, most_bytes, length = HEAD.unpack(head)
            body = _read(length)

            def run(fd: int, body: bytes = body) -> None:
                request = json.loads(body)
                request["limits"] = limits = Limits(**request["limits"])
                taken, result_fd = confine_call(limits, seccomp, fd)
                if set(taken) >= set(request["layers"]):
                    run_request(request, modules, result_fd)

            memory_bytes = 0 if "memory limit" in layers else Limits().memory_bytes
            status, ending, answer = forked(run, wall_seconds, most_bytes, memory_bytes)
            _write(ANSWER.pack(status, ending, len(answer)) + answer)
    os._exit(0)


def forked(
    run: Callable[[int], None], wall_seconds: float, most_bytes: int, memory_bytes: int = 0
) -> tuple[int, int, bytes]:
    """Run in a fork with a pipe for its answer: exit status, how it ended, the answer.

    Raises StudyGone, when the fork was ended.

    Args:
        memory_bytes: Most memory that it may have when it is looked at; 0 where it is not.
    """
    result_fd, guest_fd = os.pipe()
    if not (child := os.fork()):
        try:
            run(guest_fd)
        finally:
            os._exit(1)
    os.close(guest_fd)
    deadline = time.monotonic() + wall_seconds
    status, ending, answer = None, LATE, b""
    try:
        answer, ending = _answer(child, result_fd, deadline, most_bytes, memory_bytes)
        status = _wait(child, deadline) if ending == ENDED else None
    finally:
        os.close(result_fd)
        if status is None:
            ending = ending or LATE
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        _end_left_over(child)
    return status, ending, answer


def _answer(
    child: int, result_fd: int, deadline: float, most_bytes: int, memory_bytes: int
) -> tuple[bytes, int]:
    """What the fork wrote, and how that ended."""
    answer = bytearray()
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select(
            [result_fd, 0], [], [], min(left, WATCH_SECONDS) if memory_bytes else left
        )
        if 0 in ready:
            raise StudyGone
        if memory_bytes and _resident_bytes(child) > memory_bytes:
            return b"", LARGE
        if result_fd in ready:
            piece = os.read(result_fd, 1 << 16)
            if not piece:
                return bytes(answer), ENDED
            answer += piece
            if len(answer) > most_bytes:
                return b"", LONG
    return b"", LATE


def _resident_bytes(process: int) -> int:
    """Memory of a process, by `ps`, which every system has; 0 where it ended."""
    listing_fd, ps_fd = os.pipe()
    command = ["ps", "-o", "rss=", "-p", str(process)]
    output = [(os.POSIX_SPAWN_DUP2, ps_fd, 1)]
    ps = os.posix_spawn("/bin/ps", command, {}, file_actions=output)
    os.close(ps_fd)
    listing = os.read(listing_fd, 100)
    os.close(listing_fd)
    os.waitpid(ps, 0)
    return int(listing) * 1024 if listing.strip() else 0


def _wait(child: int, deadline: float) -> int | None:
    """The exit status of a fork that closed its pipe; None where it goes on beyond the deadline."""
    pause = 1e-4
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    return None


def _end_left_over(child: int) -> None:
    """End what a fork may have started. As the first process of a namespace: all others in it."""
    alone = os.getpid() == 1
    with suppress(OSError):
        if alone:
            os.kill(-1, signal.SIGKILL)
        else:
            os.killpg(child, signal.SIGKILL)
    with suppress(OSError):
        while os.waitpid(-1, 0 if alone else os.WNOHANG)[0]:
            pass


def _read(length: int) -> bytes:
    """So many bytes of the standard input. Raises StudyGone where it ended."""
    data = bytearray()
    while len(data) < length:
        piece = os.read(0, length - len(data))
        if not piece:
            raise StudyGone
        data += piece
    return bytes(data)


def _write(data: bytes) -> None:
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        raise StudyGone from None
