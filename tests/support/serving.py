"""A served study: uvicorn on a free port of the loopback, in a thread of the test's process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from caveat.cli.serve import _listen
from caveat.serve.start import application
from caveat.study.study import Study


@contextmanager
def served(study: Study) -> Iterator[tuple[str, object]]:
    """The address of the server, and its application."""
    app, _ = application(study, "cpu")
    listening = _listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", app
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
