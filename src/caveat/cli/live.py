"""`caveat run --live`: the page of `caveat watch` beside a run.

The page is served by a process of its own, so that it takes no time from training's process and
reads the study's folder alone, as `caveat watch` does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

PAUSE = 0.2
"""Seconds between two looks whether the study's folder is there."""


class LivePage:
    """The process that serves the page, from when there is a study to show."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say
        self.over = Event()
        self.process: subprocess.Popen[str] | None = None
        self.thread = Thread(target=self._start, daemon=True)
        self.thread.start()

    def _start(self) -> None:
        while not (self.folder / "study.json").is_file():
            if self.over.wait(PAUSE):
                return
        command = [sys.executable, "-m", "caveat", "watch", str(self.folder), "--port", "0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        if line := self.process.stdout.readline().strip():
            self.say(line.replace("; Ctrl-C ends it", ""))

    def wait(self) -> None:
        """Serve the page until Ctrl-C."""
        self.thread.join()
        if self.process is not None and self.process.poll() is None:
            self.say("the page stays until Ctrl-C")
            with suppress(KeyboardInterrupt):
                self.process.wait()

    def end(self) -> None:
        """Serve it no more."""
        self.over.set()
        self.thread.join()
        if self.process is not None:
            self.process.terminate()
            self.process.communicate()


@contextmanager
def live_page(folder: Path, say: Callable[[str], None]) -> Iterator[LivePage]:
    """While the context lasts, a page that follows the study in a folder; `say` gets its address.

    Args:
        folder: Need not be there yet.
    """
    page = LivePage(folder, say)
    try:
        yield page
    finally:
        page.end()
