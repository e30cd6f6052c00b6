"""OpenAI's API over a study's arms: models, chat, completions, and vLLM's `/tokenize`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from caveat.backends.base import Backend
from caveat.errors import CaveatError
from caveat.serve.batching import Batcher, Busy
from caveat.serve.chats import Chats
from caveat.serve.completions import Completions
from caveat.serve.prompts import context_length
from caveat.serve.requests import ChatBody, CompletionBody, TokenizeBody
from caveat.serve.served_models import ServedModel, find

PAGE = Path(__file__).parent / "page.html"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MOST_BYTES = 8 << 20
"""Of one request's body."""


def openai_app(
    backend: Backend,
    models: Mapping[str, ServedModel],
    study: Mapping[str, Any],
    hosts: Sequence[str] = LOOPBACK,
) -> FastAPI:
    """The application. All models share the backend's one base model.

    Args:
        hosts: Names by which requests may call this machine, or `*`. Another name is refused, so
            that no page of the web can reach the server through a browser here.
        study: `name`; `system`, the text that chats without a system turn get, or None;
            `caveats` by setting, for the page.
    """
    batcher = Batcher(backend)
    chats = Chats(backend, batcher, models, study)
    completions = Completions(backend, batcher, models)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(batcher.work())
        yield
        work.cancel()
        batcher.close()

    app = FastAPI(title=f"caveat serve: {study['name']}", lifespan=lifespan)
    app.state.batcher = batcher
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))

    @app.middleware("http")
    async def small(request: HttpRequest, call_next: Any) -> Any:
        size = request.headers.get("content-length", "0")
        if not size.isdigit() or int(size) > MOST_BYTES:
            return _error(f"the body has {size} bytes; at most {MOST_BYTES} are read", 413)
        return await call_next(request)

    @app.exception_handler(Busy)
    async def busy(_: HttpRequest, error: Busy) -> JSONResponse:
        return _error(str(error), 429)

    @app.exception_handler(CaveatError)
    async def refused(_: HttpRequest, error: CaveatError) -> JSONResponse:
        status = 404 if "is not served" in str(error) else 400
        return _error(str(error), status)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: HttpRequest, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
        return _error(f"{place}: {first['msg']}", 400)

    @app.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [_model(one, backend) for one in models.values()]}

    @app.get("/v1/models/{name:path}")
    async def one_model(name: str) -> dict[str, Any]:
        return _model(find(models, name), backend)

    @app.post("/v1/chat/completions")
    async def chat(body: ChatBody) -> Any:
        return await chats.respond(body)

    @app.post("/v1/completions")
    async def complete(body: CompletionBody) -> Any:
        return await completions.respond(body)

    @app.post("/tokenize")
    async def tokenize(body: TokenizeBody) -> dict[str, Any]:
        return completions.tokenized(body, chats.system)

    @app.get("/caveat/study")
    async def about() -> dict[str, Any]:
        listed = [
            {"id": one.id, "setting": one.setting, "arm": one.arm, "seed": one.seed}
            for one in models.values()
        ]
        return {**study, "model": backend.name, "models": listed}

    @app.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return PAGE.read_text("utf-8")

    return app


def _model(model: ServedModel, backend: Backend) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": "caveat",
        "root": backend.name,
        "max_model_len": context_length(backend),
    }


def _error(message: str, status: int) -> JSONResponse:
    body = {"message": message, "type": "invalid_request_error", "param": None, "code": status}
    return JSONResponse({"error": body}, status)
