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
import struct
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict

from caveat.environments.sandbox.confinement import address_space, confine_call, confine_server
from caveat.environments.sandbox.guest import run_request
from caveat.environments.sandbox.names import stand_ins
from caveat.environments.sandbox.records import Limits
from caveat.environments.sandbox.seccomp import Seccomp

HEAD = struct.Struct("!dII")
"""A request: wall seconds, most bytes of the answer, bytes of the body."""
ANSWER = struct.Struct("!iBI")
"""An answer: exit status as of waitpid, how the fork ended, bytes of the body."""
ENDED, LATE, LONG = range(3)
"""By itself, ended for its time, ended for the length of its answer."""
_LATER = (
    "encodings.utf_8", "encodings.latin_1", "encodings.ascii", "encodings.utf_16",
    "encodings.utf_32", "encodings.unicode_escape", "encodings.rot_13", "encodings.hex_codec",
    "unicodedata", "_decimal", "copyreg", "traceback",
)  # fmt: skip
"""Modules that Python would load later by itself, when no file can be opened any more."""


def main() -> None:
    """Confine this process, report the layers, and answer until the input ends."""
    warnings.simplefilter("ignore")  # about guest code: they would be written, with its lines
    for name in _LATER:
        importlib.import_module(name)
    modules = stand_ins()
    seccomp = Seccomp()
    address_space()
    layers = confine_server(seccomp)
    sys.path[:] = []
    gc.collect()
    gc.freeze()
    _, _, probe = _forked(lambda fd: _probe(fd, seccomp), 10.0, 10_000)
    with suppress(ValueError):
        layers += json.loads(probe)
    _write_all(1, struct.pack("!I", len(body := json.dumps(layers).encode())) + body)
    while head := _read(HEAD.size):
        wall_seconds, most_bytes, length = HEAD.unpack(head)
        body = _read(length)

        def run(fd: int, body: bytes = body) -> None:
            request = json.loads(body)
            request["limits"] = limits = Limits(**request["limits"])
            taken, result_fd = confine_call(limits, seccomp, fd)
            if set(taken) >= set(request["layers"]):
                run_request(request, modules, result_fd)

        status, ending, answer = _forked(run, wall_seconds, most_bytes)
        _write_all(1, ANSWER.pack(status, ending, len(answer)) + answer)


def _probe(fd: int, seccomp: Seccomp) -> None:
    """Report the layers that take in a fork."""
    layers, result_fd = confine_call(Limits(), seccomp, fd)
    os.write(result_fd, json.dumps(layers).encode())


def _forked(
    run: Callable[[int], None], wall_seconds: float, most_bytes: int
) -> tuple[int, int, bytes]:
    """Run in a fork with a pipe for its answer: exit status, how it ended, the answer."""
    result_fd, guest_fd = os.pipe()
    if not (child := os.fork()):
        code = 1
        try:
            run(guest_fd)
            code = 0
        finally:
            os._exit(code)
    os.close(guest_fd)
    deadline = time.monotonic() + wall_seconds
    try:
        answer, ending = _answer(result_fd, deadline, most_bytes)
    finally:
        os.close(result_fd)
    status = _wait(child, deadline) if ending == ENDED else None
    if status is None:
        ending = ending or LATE
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    _end_left_over(child)
    return status, ending, answer


def _answer(result_fd: int, deadline: float, most_bytes: int) -> tuple[bytes, int]:
    """What the fork wrote, and how that ended. Ends this process where the study is gone."""
    answer = bytearray()
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([result_fd, 0], [], [], left)
        if 0 in ready:
            os.killpg(0, signal.SIGKILL) if os.getpid() != 1 else os._exit(1)
        if result_fd in ready:
            piece = os.read(result_fd, 1 << 16)
            if not piece:
                return bytes(answer), ENDED
            answer += piece
            if len(answer) > most_bytes:
                return b"", LONG
    return b"", LATE


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
    with suppress(OSError):
        if os.getpid() == 1:
            os.kill(-1, signal.SIGKILL)
        else:
            os.killpg(child, signal.SIGKILL)
    with suppress(OSError):
        while os.waitpid(-1, 0 if os.getpid() == 1 else os.WNOHANG)[0]:
            pass


def _read(length: int) -> bytes:
    """So many bytes of the standard input; nothing where it ended."""
    data = bytearray()
    while len(data) < length:
        piece = os.read(0, length - len(data))
        if not piece:
            return b""
        data += piece
    return bytes(data)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def request_of(
    source: str, call: dict[str, object] | None, limits: Limits, **rest: object
) -> bytes:
    """The body of a request."""
    return json.dumps({"source": source, "call": call, "limits": asdict(limits), **rest}).encode()


if __name__ == "__main__":
    main()
