"""A real HTTP server in the test's own process that speaks the protocol of a judge's endpoint."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What is sent back to one request."""

    text: str = "yes"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    """In place of a chat completion of `text`."""
    wait: float = 0.0
    """Seconds before anything is sent."""
    pause: float = 0.0
    """Seconds after each byte of the body."""
    dies: bool = False
    """Whether the connection is cut in the middle of the body."""
    usage: dict[str, int] | None = field(default_factory=lambda: {"total_tokens": 100})
    finish: str = "stop"

    def content(self) -> str:
        if self.body is not None:
            return self.body
        message = {"role": "assistant", "content": self.text}
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        used = {} if self.usage is None else {"usage": self.usage}
        return json.dumps({"object": "chat.completion", "choices": [choice], **used})


class JudgeServer:
    """Answers every request as `answers(number, body)` says, and remembers what it was sent."""

    def __init__(self) -> None:
        self.answers: Callable[[int, dict[str, Any]], Reply] = lambda number, body: Reply()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.times: list[float] = []
        self.under_way = self.most_under_way = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                server.handle(self)

            def log_message(self, *arguments):
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def prompts(self) -> list[str]:
        """The last turn of every request."""
        return [body["messages"][-1]["content"] for body in self.bodies]

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        with self._lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.headers.append({name.title(): text for name, text in request.headers.items()})
            self.paths.append(request.path)
            self.times.append(time.monotonic())
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            self._send(request, self.answers(number, body))
        except OSError:
            pass  # the client went away: it had waited long enough, or was killed
        finally:
            with self._lock:
                self.under_way -= 1

    def _send(self, request: BaseHTTPRequestHandler, reply: Reply) -> None:
        time.sleep(reply.wait)
        content = reply.content().encode()
        request.send_response(reply.status)
        request.send_header("Content-Type", "application/json")
        if reply.status >= 400 and "Retry-After" not in reply.headers:  # then it is retried at once
            request.send_header("Retry-After-Ms", "5")
        for name, value in reply.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        for start in range(0, len(content) if reply.pause else 0):
            request.wfile.write(content[start : start + 1])
            time.sleep(reply.pause)
        if not reply.pause:
            request.wfile.write(content[: len(content) // 2] if reply.dies else content)
        if reply.dies:
            request.wfile.flush()
            request.connection.close()
