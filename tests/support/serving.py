"""A served study: uvicorn on a free port of the loopback, in a thread of the test's process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from caveat.cli.serve import _listen
from caveat.serve.start import application
from caveat.study.study import Study


class Gate:
    """Counts the requests to an application, and answers some of them in its place."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.bodies: list[dict[str, Any]] = []
        self.refuse: Callable[[str, dict[str, Any]], tuple[int, str] | None] = no_refusal
        """Gives the status and body that a request gets at once, by its path and body."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        message = await receive()
        body = json.loads(message["body"] or b"{}")
        self.bodies.append(body)
        refusal = self.refuse(scope["path"], body)
        if refusal is None:
            messages = [message]

            async def again() -> Any:
                return messages.pop() if messages else await receive()

            await self.app(scope, again, send)
            return
        status, text = refusal
        headers = [(b"content-type", b"application/json"), (b"retry-after-ms", b"5")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})


def no_refusal(path: str, body: dict[str, Any]) -> None:
    """Let every request pass."""


@contextmanager
def served(study: Study, wrap: Callable[[Any], Any] | None = None) -> Iterator[tuple[str, Any]]:
    """The address of the server, and its application; a wrapped one where there is a wrapper."""
    app, _ = application(study, "cpu")
    app = wrap(app) if wrap else app
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
