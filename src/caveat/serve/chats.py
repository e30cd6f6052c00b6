"""Chat completions, whole or as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from fastapi.responses import StreamingResponse

from caveat.backends.base import Backend
from caveat.backends.requests import Request
from caveat.rendering import render_prompt
from caveat.serve.batching import Batcher
from caveat.serve.prompts import check_length, request_key
from caveat.serve.requests import ChatBody
from caveat.serve.served_models import ServedModel, find
from caveat.serve.stream_text import finish_reason, showable, stopped, usage
from caveat.types.answers import Answer


class Chats:
    """Answers `/v1/chat/completions`."""

    def __init__(
        self,
        backend: Backend,
        batcher: Batcher,
        models: Mapping[str, ServedModel],
        study: Mapping[str, Any],
    ) -> None:
        self.backend, self.batcher, self.models = backend, batcher, models
        self.system: str | None = study["system"]

    async def respond(self, body: ChatBody) -> Any:
        """The reply to one request."""
        body.check()
        model = find(self.models, body.model)
        messages = body.conversation(self.system)
        tokens = len(render_prompt(self.backend.tokenizer, messages).ids)
        check_length(self.backend, tokens, body.limit)
        requests = [
            Request(request_key(body, messages, number), model.adapters, messages)
            for number in range(body.replies)
        ]
        head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": model.id,
        }
        if body.stream:
            events = self._events(body, head, requests, tokens)
            return StreamingResponse(events, media_type="text/event-stream")
        answers = await asyncio.gather(
            *(self.batcher.reply(request, body.sampling) for request in requests)
        )
        choices = []
        for number, answer in enumerate(answers):
            text, was_stopped = stopped(answer.text, body.stops)
            choices.append(
                {
                    "index": number,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": finish_reason(answer, was_stopped),
                    "logprobs": None,
                }
            )
        return {
            **head,
            "object": "chat.completion",
            "choices": choices,
            "usage": usage(tokens, answers),
        }

    async def _events(
        self, body: ChatBody, head: dict[str, Any], requests: Sequence[Request[Any]], tokens: int
    ) -> AsyncIterator[str]:
        """Chunks of all replies as they come, then how each ended."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        answers: list[Answer] = []

        async def follow(number: int, request: Request[Any]) -> None:
            await queue.put(_chunk(head, number, {"role": "assistant", "content": ""}))
            sent = ""
            async for part in self.batcher.stream(request, body.sampling):
                if isinstance(part, Answer):
                    answers.append(part)
                    text, was_stopped = stopped(part.text, body.stops)
                    if len(text) > len(sent):
                        await queue.put(_chunk(head, number, {"content": text[len(sent) :]}))
                    await queue.put(_chunk(head, number, {}, finish_reason(part, was_stopped)))
                    return
                decoded = self.backend.tokenizer.decode(part, skip_special_tokens=True)
                text = showable(decoded.lstrip(), body.stops)
                if len(text) > len(sent):
                    await queue.put(_chunk(head, number, {"content": text[len(sent) :]}))
                    sent = text

        async def follow_all() -> None:
            try:
                await asyncio.gather(*(follow(n, request) for n, request in enumerate(requests)))
                if (body.stream_options or {}).get("include_usage"):
                    chunk = _chunk(head, 0, {})
                    await queue.put({**chunk, "choices": [], "usage": usage(tokens, answers)})
            except Exception as error:  # the status line is sent already: say it as an event
                await queue.put({"error": {"message": str(error) or repr(error), "code": 500}})
            finally:
                await queue.put(None)

        work = asyncio.create_task(follow_all())
        try:
            while (chunk := await queue.get()) is not None:
                yield f"data: {json.dumps(chunk)}\n\n"
            yield "data: [DONE]\n\n"
        finally:
            work.cancel()


def _chunk(
    head: Mapping[str, Any], number: int, delta: Mapping[str, str], finish: str | None = None
) -> dict[str, Any]:
    choice = {"index": number, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {**head, "object": "chat.completion.chunk", "choices": [choice]}
