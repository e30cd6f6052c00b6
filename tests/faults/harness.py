"""Children that run a study and meet a fault at one point of it.

A point is a moment at which a run touches its folder, passes from one stage to the next, or gets
on by a batch. Python itself tells of files that are opened, made, renamed and removed
(`sys.addaudithook`); `os.fsync` and the progress that a run is handed are wrapped. Nothing in the
library knows of it. Children are forked from a server that has the library loaded (`nursery`).
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import pytest

from caveat.errors import CaveatError
from caveat.progress import Progress

Fault = Literal["none", "killed", "torn", "full", "refused"]
"""What happens at the point.

killed: the process dies. torn: it dies, and of the file that was being flushed half is there, as
after a power cut. full, refused: from there on the system refuses to write, as on a full disk, or
without permission.
"""
REFUSALS = {"full": errno.ENOSPC, "refused": errno.EACCES}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
SECONDS = 120
"""What one child may take."""
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["nursery"])


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    code: int
    """0 done, 1 a user's error, 2 some cells failed, 3 a traceback; below 0 the signal."""
    said: str = ""
    """The error's line, or the traceback."""
    points: tuple[str, ...] = ()
    """Those that were passed, by name; none are told where the child was killed."""


@dataclass(frozen=True)
class Errand:
    """What a child is sent to do."""

    made: dict[str, Any]
    """The recipe."""
    folder: Path
    fault: Fault = "none"
    after: int = 0
    """How many points are passed before the fault."""
    report: bool = False
    """Whether the report is written, too, which takes longer than all the rest."""
    before: Callable[[], Any] | None = None
    """Called first, in the child."""


class Enough(BaseException):
    """Raised in place of the report."""


class Watch(Progress):
    """Counts the points of the run in this process, and lets the fault happen.

    Nothing is flushed to the disk for true: a process that dies loses nothing of what it wrote.
    """

    def __init__(self, errand: Errand) -> None:
        self.errand, self.fault = errand, errand.fault
        self.within = f"{errand.folder}{os.sep}"
        self.points: list[str] = []
        os.fsync = self._flushed
        sys.addaudithook(self._heard)

    def stage(self, label: str) -> None:
        """The run passes on to a stage."""
        self._point(f"stage {label}", writes=False)
        if label == "report" and not self.errand.report:
            raise Enough

    def advance(self, kind: str, tokens: int) -> None:
        """A batch is done."""
        self._point(f"batch {kind}", writes=False)

    def _heard(self, event: str, details: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = details
            if isinstance(path, str | Path) and flags & WRITING:
                self._touched("open", path)
        elif event in ("os.mkdir", "os.rename"):
            self._touched(event.removeprefix("os."), details[0])
        elif event in ("os.remove", "os.rmdir"):
            self._touched(event.removeprefix("os."), details[0], writes=False)

    def _flushed(self, descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        self._touched("flush", path, path)

    def _touched(self, how: str, path: Any, torn: str = "", writes: bool = True) -> None:
        path = os.path.abspath(os.fspath(path))
        if path.startswith(self.within):
            name = re.sub(r"[0-9a-f]{16,}", "DIGEST", path.removeprefix(self.within))
            self._point(f"{how} {re.sub(r'[.][0-9]+[.]part', '.part', name)}", torn, writes)

    def _point(self, name: str, torn: str = "", writes: bool = True) -> None:
        self.points.append(name)
        passed = len(self.points) - 1
        if self.fault in ("killed", "torn") and passed == self.errand.after:
            if self.fault == "torn" and os.path.isfile(torn):
                os.truncate(torn, os.path.getsize(torn) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault in REFUSALS and writes and passed >= self.errand.after:
            number = REFUSALS[self.fault]
            raise OSError(number, os.strerror(number), self.within)


def child(made: dict[str, Any], folder: Path, fault: Fault = "none", after: int = 0) -> Ended:
    """Run a recipe in a process of its own, which meets the fault after so many points."""
    return ended(*started(Errand(made, folder, fault, after)))


def started(errand: Errand) -> tuple[Any, Connection]:
    """A child, not waited for."""
    ours, theirs = CHILDREN.Pipe(duplex=False)
    process = forked(_done, errand, theirs)
    theirs.close()
    return process, ours


def forked(work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """A started child that calls `work`: to start Python and load torch takes ten times as long."""
    _server()
    process = CHILDREN.Process(target=work, args=arguments, kwargs=options)
    process.start()
    return process


@cache
def _server() -> None:
    """Start the server of children, which has no other way to find what it is to load."""
    from multiprocessing.forkserver import ensure_running

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        patch.setenv("OMP_NUM_THREADS", "1")  # threads do not outlive a fork
        ensure_running()


def ended(process: Any, ours: Connection) -> Ended:
    """How a started child ends, waited for."""
    with ours:
        assert ours.poll(SECONDS), f"a child took more than {SECONDS} s"
        try:
            told = ours.recv()
        except EOFError:  # it died without a word
            told = Ended(0)
    process.join()
    code = process.exitcode or told.code
    process.close()
    return Ended(code, told.said, told.points)


def trained(made: dict[str, Any], folder: Path, watch: Progress | None = None) -> int:
    """Run a recipe, in chunks of 20 answers, up to its report: 2 where some cells failed."""
    from caveat.study.planning import grouping
    from caveat.study.run import run
    from caveat.study.study import Study

    grouping.REQUESTS = 20
    with suppress(Enough):
        run(made, folder, watch or Unreported())
    return 2 if len(Study(folder).failures()) else 0


class Unreported(Progress):
    """Ends a run in front of its report."""

    def stage(self, label: str) -> None:
        """The run passes on to a stage."""
        if label == "report":
            raise Enough


def _done(errand: Errand, theirs: Connection) -> None:
    watch = Watch(errand)
    code, said = 0, ""
    try:
        if errand.before is not None:
            errand.before()
        code = trained(errand.made, errand.folder, watch)
    except CaveatError as error:
        code, said = 1, str(error)
    except BaseException:
        code, said = 3, traceback.format_exc()
    watch.fault = "none"
    theirs.send(Ended(code, said, tuple(watch.points)))
