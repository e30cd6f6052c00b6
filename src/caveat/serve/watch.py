"""`caveat watch`: a page on this machine that follows a running study. It only reads the store."""

from __future__ import annotations

import json
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.progress import duration
from caveat.report.figures.training import training_figures
from caveat.report.sections.table import Table
from caveat.report.tables.summary import leakage_summaries
from caveat.report.templating import asset, environment, script_hash
from caveat.study.metrics import trainings
from caveat.study.study import Study

if TYPE_CHECKING:
    from markupsafe import Markup


NAMES = ("127.0.0.1", "localhost")
"""What a browser may call this machine: no page from elsewhere reads a study under another name."""
WINDOW = 600.0
"""Seconds of progress that the time left is estimated from."""
PAUSE = 10.0
"""Seconds between two computations of the rates, which may take a second each."""
QUIET = 90.0
"""Seconds without a new file after which a study that is not finished may have been stopped."""


@dataclass(frozen=True)
class Bar:
    """How far one kind of work is."""

    name: str
    done: int
    total: int

    @property
    def share(self) -> float:
        """In [0, 1]; 1 where there is nothing to do."""
        return self.done / self.total if self.total else 1.0


@dataclass(frozen=True)
class WatchState:
    """What the page shows."""

    name: str
    stage: str
    left: str
    """The time left, in words; "" where it is not known."""
    bars: tuple[Bar, ...]
    failures: Table
    curves: tuple[tuple[str, Markup], ...]
    """Settings with their training curves."""
    rates: tuple[Table, ...]
    finished: bool


@dataclass
class Watcher:
    """Reads a study again and again; remembers how fast it went."""

    folder: Path
    clock: Callable[[], float] = time.time
    seen: deque[tuple[float, float]] = field(default_factory=deque)
    """Times and shares of the whole work, of the last `WINDOW` seconds."""
    _rates: tuple[Table, ...] = ()
    _judged: int = -1
    _computed: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def state(self) -> WatchState:
        """The study as it is now. Raises CaveatError where there is none."""
        with self._lock:
            return self._state()

    def _state(self) -> WatchState:
        from markupsafe import Markup

        study = Study(self.folder)
        bars = _bars(study)
        finished = bool(study.about["finished"])
        self._remember(sum(bar.share for bar in bars) / len(bars))
        training = study.training()
        judged = bars[-1].done
        now = self.clock()
        if judged != self._judged and (finished or now - self._computed >= PAUSE):
            self._rates, self._judged = _rates(study), judged
            self._computed = self.clock()
        failures = study.failures()
        return WatchState(
            name=study.name,
            stage=_stage(study, bars, finished, now),
            left="" if finished else self.time_left(),
            bars=bars,
            failures=Table.of(tuple(failures.columns), [
                tuple(map(str, row)) for row in failures.itertuples(index=False)
            ]),
            curves=tuple(
                (setting, Markup(plot.inline())) for setting, plot in training_figures(training)
            ) if len(training) else (),
            rates=self._rates,
            finished=finished,
        )  # fmt: skip

    def _remember(self, share: float) -> None:
        now = self.clock()
        self.seen.append((now, share))
        while now - self.seen[0][0] > WINDOW:
            self.seen.popleft()

    def time_left(self) -> str:
        """About how long it takes at the speed since the page was opened; "" before it moved."""
        (start, first), (end, last) = self.seen[0], self.seen[-1]
        if last <= first or end <= start:
            return ""
        seconds = (1 - last) * (end - start) / (last - first)
        return f"about {duration(max(seconds, 1.0))}"


def _bars(study: Study) -> tuple[Bar, ...]:
    """Training by adapters and begun ones by steps, cells, answers with their verdicts."""
    digests = trainings(study.store, study.version)
    finished, cells = study.progress()
    judged, answers = study.judged()
    return (
        Bar("adapters trained", sum(map(study.store.has, digests)), len(digests)),
        Bar("cells finished", finished, cells),
        Bar("answers judged", judged, answers),
    )


def _stage(study: Study, bars: tuple[Bar, ...], finished: bool, now: float) -> str:
    if finished:
        return f"finished {study.about['finished']}"
    changed = _last_change(study.folder)
    if now - changed > QUIET:
        stamp = datetime.fromtimestamp(changed, UTC).strftime("%H:%M:%S UTC")
        return f"nothing was written since {stamp}: it may have been stopped, or a step is long"
    if bars[0].share < 1:
        return "training, and answers of what is trained"
    return "answers" if bars[-1].share < 1 else "tables and report"


def _last_change(folder: Path) -> float:
    """When anything in the folder was last written, in seconds since 1970."""
    parts = [folder, *(folder / name for name in ("answers", "verdicts", "metrics", "artifacts"))]
    paths = [path for part in parts if part.is_dir() for path in (part, *part.iterdir())]
    return max(_changed(path) for path in paths)


def _changed(path: Path) -> float:
    """When a file was written; 0 where it has just been removed."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _rates(study: Study) -> tuple[Table, ...]:
    """Rates and leakage of the answers that are there."""
    if study.answers().empty:
        return ()
    return tuple(Table.of_summary(summary) for summary in leakage_summaries(study.leakage()))


def page(name: str) -> bytes:
    """The page around the state, which it fetches every two seconds."""
    from markupsafe import Markup

    script = asset("watch.js")
    html = environment().get_template("watch.html.j2").render(
        name=name,
        style=Markup(asset("report.css")),
        script=Markup(script),
        script_hash=script_hash(f"\n{script}\n"),
    )  # fmt: skip
    return html.encode("utf-8", "replace")


def state_json(watcher: Watcher) -> bytes:
    """The state as JSON: `html`, which is escaped, and whether the study is `finished`."""
    try:
        state = watcher.state()
    except CaveatError as error:
        return json.dumps({"error": str(error), "finished": False}).encode()
    html = environment().get_template("watch_state.html.j2").render(state=state)
    return json.dumps({"html": html, "finished": state.finished}).encode("ascii")


def watch_server(watcher: Watcher, listening: socket.socket) -> ThreadingHTTPServer:
    """A server on a socket of this machine that shows a study; `serve_forever` runs it.

    Raises CaveatError where there is no study.
    """
    name = Study(watcher.folder).name

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = (self.headers.get("Host") or "").partition(":")[0]
            if host not in NAMES:
                self._send(403, "text/plain", b"only this machine may read here")
            elif self.path == "/":
                self._send(200, "text/html; charset=utf-8", page(name))
            elif self.path == "/state":
                self._send(200, "application/json", state_json(watcher))
            else:
                self._send(404, "text/plain", b"not found")

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: requests are no news."""

    server = ThreadingHTTPServer(listening.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    return server
