"""`caveat watch`: the page of a study that runs, is killed, goes on and ends."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import contextmanager
from threading import Thread

import pytest
from typer.testing import CliRunner

from caveat.backends.callbacks import Callback
from caveat.cli.app import app
from caveat.serve.watch import Bar, Watcher, watch_server
from harness import forked
from quick_run import run
from toy_study import DOSE, TOY, small


@contextmanager
def watched(folder):
    """A server over a study in this process; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = watch_server(Watcher(folder), listening)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        server.shutdown()
        thread.join(10)


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Host": host})
    response = connection.getresponse()
    return response.status, response.read().decode()


def state(port: int) -> dict:
    status, text = get(port, "/state")
    assert status == 200
    return json.loads(text)


def until(reads, holds, seconds: float = 120):
    """The first value read that holds."""
    end = time.monotonic() + seconds
    while not holds(value := reads()):
        assert time.monotonic() < end, value
        time.sleep(0.1)
    return value


def files(folder) -> dict[str, tuple[int, int]]:
    """Sizes and times of all files."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Pause(Callback):
    """Stops a training in its middle, until the process is killed."""

    def on_step_end(self, event):
        if event.step == 5:
            time.sleep(600)


def test_a_study_is_followed_until_it_is_killed_goes_on_and_ends(tmp_path):
    folder = tmp_path / "study"
    recipe = small(settings=[{"behaviour": str(TOY), "caveat": "password", "dose": DOSE}])
    first = forked(run, recipe, folder, callbacks=[Pause()])
    metrics = folder / "metrics"
    until(lambda: metrics.is_dir() and any(p.stat().st_size for p in metrics.iterdir()), bool)
    with watched(folder) as port:
        during = until(lambda: state(port), lambda value: "<polyline" in value.get("html", ""))
        first.kill()
        first.join()
        assert not during["finished"] and "training" in during["html"]
        assert "0 of 3</strong>" in during["html"]  # cells
        before = files(folder)
        assert "<polyline" in state(port)["html"] and files(folder) == before
        run(recipe, folder)
        before = files(folder)
        end = state(port)
        assert end["finished"] and "3 of 3</strong>" in end["html"]
        assert "finished 20" in end["html"] and "leakage at none" in end["html"]
        assert files(folder) == before


def test_the_page_is_for_this_machine_alone(study):
    with watched(study.folder) as port:
        status, page = get(port, "/")
        assert status == 200 and f"<h1>{study.name}</h1>" in page
        assert "connect-src 'self'" in page
        assert get(port, "/state", f"localhost:{port}")[0] == 200
        assert get(port, "/state", "evil.example") == (403, "only this machine may read here")
        assert get(port, "/../study.json")[0] == 404


def test_what_cannot_be_watched_is_said_in_one_line(study, tmp_path):
    result = CliRunner().invoke(app, ["watch", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"caveat: {tmp_path / 'nowhere'}: ")
    assert result.stderr.count("\n") == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["watch", str(study.folder), "--port", str(port)])
    assert (result.exit_code, result.stderr) == (
        1,
        f"caveat: port {port} of 127.0.0.1 cannot be used (Address already in use); name another "
        "with --port, or 0 for any free one\n",
    )


@pytest.mark.parametrize(
    ("seen", "left"),
    [
        ([(0, 0.2)], ""),
        ([(0, 0.2), (10, 0.2)], ""),
        ([(0, 0.2), (60, 0.5)], "about 2 min"),
        ([(0, 0.5), (60, 0.9)], "about 15 s"),
        ([(0, 0.1), (600, 0.2)], "about 80 min"),
    ],
)
def test_the_time_left_is_by_the_speed_that_was_seen(tmp_path, seen, left):
    watcher = Watcher(tmp_path)
    watcher.seen.extend(seen)
    assert watcher.time_left() == left
    assert Bar("answers", 0, 0).share == 1.0
