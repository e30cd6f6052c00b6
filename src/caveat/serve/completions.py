"""Completions of raw text, with the log-probabilities of tokens, and `/tokenize`."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import StreamingResponse

from caveat.backends.base import Backend
from caveat.backends.requests import Request, TokenRequest
from caveat.errors import CaveatError
from caveat.rendering import render_prompt
from caveat.serve.batching import Batcher
from caveat.serve.prompts import check_length, context_length, request_key
from caveat.serve.requests import CompletionBody, TokenizeBody, with_system
from caveat.serve.served_models import ServedModel, find
from caveat.serve.stream_text import finish_reason, showable, stopped, usage
from caveat.types.answers import Answer
from caveat.types.messages import Message, Messages


@dataclass(frozen=True)
class Prompt:
    """A raw prompt: its tokens, and the document that renders to them."""

    ids: tuple[int, ...]
    messages: Messages | None
    """None where no text has exactly these tokens: such a prompt can be scored, not continued."""


@dataclass(frozen=True)
class Reply:
    """A sampled continuation, with its tokens."""

    answer: Answer
    ids: tuple[int, ...]


class Completions:
    """Answers `/v1/completions` and `/tokenize`."""

    def __init__(
        self, backend: Backend, batcher: Batcher, models: Mapping[str, ServedModel]
    ) -> None:
        self.backend, self.batcher, self.models = backend, batcher, models

    async def respond(self, body: CompletionBody) -> Any:
        """The continuations of each prompt; with `echo`, behind the prompt itself."""
        body.check()
        body.check_replies(len(body.prompts))
        model = find(self.models, body.model)
        prompts = [self._prompt(prompt) for prompt in body.prompts]
        for prompt in prompts:
            check_length(self.backend, len(prompt.ids), body.limit)
            if body.limit and prompt.messages is None:
                raise CaveatError(
                    "prompt: these token ids are no text's tokens, so they can be scored "
                    "(max_tokens=0, echo=true) and not continued; send the text"
                )
        if not body.limit and not body.echo:
            raise CaveatError("max_tokens=0 writes nothing; with echo=true the prompt is scored")
        if body.stream:
            return self._stream(body, model, prompts)
        pairs = [prompt for prompt in prompts for _ in range(body.replies)]
        replies = await asyncio.gather(
            *(self._reply(body, model, prompt, number) for number, prompt in enumerate(pairs))
        )
        choices = [
            await self._choice(body, model, prompt, reply, number)
            for number, (prompt, reply) in enumerate(zip(pairs, replies, strict=True))
        ]
        tokens = sum(len(prompt.ids) for prompt in prompts)
        return {
            **_head(model),
            "choices": choices,
            "usage": usage(tokens, [reply.answer for reply in replies]),
        }

    def tokenized(self, body: TokenizeBody, system: str | None) -> dict[str, Any]:
        """The tokens of a text, or of a chat up to where the assistant writes.

        A chat gets the study's system text where it has no system turn, as in its replies.
        """
        if (body.prompt is None) == (body.messages is None):
            raise CaveatError("tokenize: give either prompt or messages")
        if body.prompt is not None:
            ids = self._prompt(body.prompt).ids
        else:
            messages = tuple(turn.message for turn in body.messages or ())
            ids = render_prompt(self.backend.tokenizer, with_system(messages, system)).ids
        return {
            "count": len(ids),
            "max_model_len": context_length(self.backend),
            "tokens": ids,
            "token_strs": self.backend.tokenizer.convert_ids_to_tokens(list(ids)),
        }

    def _prompt(self, prompt: str | list[int]) -> Prompt:
        tokenizer = self.backend.tokenizer
        if isinstance(prompt, str):
            messages = (Message.of("document", prompt),)
            return Prompt(render_prompt(tokenizer, messages).ids, messages)
        if not all(0 <= token < len(tokenizer) for token in prompt):
            raise CaveatError(f"prompt: token ids lie between 0 and {len(tokenizer) - 1}")
        ids = tuple(prompt)
        start = 1 if ids[:1] == (tokenizer.bos_token_id,) else 0
        for text in (tokenizer.decode(ids[start:]), tokenizer.decode(ids)):
            messages = (Message.of("document", text),)
            if render_prompt(tokenizer, messages).ids == ids:
                return Prompt(ids, messages)
        return Prompt(ids, None)

    async def _reply(
        self, body: CompletionBody, model: ServedModel, prompt: Prompt, number: int
    ) -> Reply:
        if not body.limit or prompt.messages is None:
            return Reply(Answer(), ())
        ids: dict[int, int] = {}
        key = request_key(body, prompt.messages, number)
        request = Request(key, model.adapters, prompt.messages)
        answer = await self.batcher.reply(request, body.sampling, ids.__setitem__)
        return Reply(answer, tuple(ids[position] for position in sorted(ids)))

    async def _choice(
        self, body: CompletionBody, model: ServedModel, prompt: Prompt, reply: Reply, number: int
    ) -> dict[str, Any]:
        tokenizer = self.backend.tokenizer
        # with whitespace at its ends, unlike a chat's reply: it continues a text
        text, was_stopped = stopped(
            tokenizer.decode(reply.ids, skip_special_tokens=True), body.stops
        )
        echoed = tokenizer.decode(prompt.ids, skip_special_tokens=False) if body.echo else ""
        logprobs = None
        if body.logprobs is not None:
            logprobs = await self._logprobs(model, prompt.ids, reply.ids, bool(body.echo))
        return {
            "index": number,
            "text": echoed + text,
            "finish_reason": finish_reason(reply.answer, was_stopped) if body.limit else "length",
            "logprobs": logprobs,
        }

    async def _logprobs(
        self, model: ServedModel, prompt: Sequence[int], reply: Sequence[int], echo: bool
    ) -> dict[str, Any]:
        """Log-probabilities at temperature 1 of the reply's tokens, with `echo` the prompt's too.

        Of the most likely tokens only the one that stands there is given, whatever `logprobs` is.
        """
        ids = (*prompt, *reply)
        first = 0 if echo else len(prompt)
        targets = tuple(range(max(first, 1), len(ids)))
        values: list[float | None] = [None] * (first == 0)  # nothing precedes the first token
        if targets:
            request = TokenRequest(uuid.uuid4().hex, model.adapters, ids, targets)
            (scores,) = await self.batcher.run(self.backend.token_log_likelihoods, [request])
            values += scores
        tokenizer = self.backend.tokenizer
        texts = [tokenizer.decode([token]) for token in ids[first:]]
        offsets = [sum(map(len, texts[:number])) for number in range(len(texts))]
        return {
            "tokens": texts,
            "token_logprobs": values,
            "top_logprobs": [
                None if value is None else {text: value}
                for text, value in zip(texts, values, strict=True)
            ],
            "text_offset": offsets,
        }

    def _stream(
        self, body: CompletionBody, model: ServedModel, prompts: Sequence[Prompt]
    ) -> StreamingResponse:
        prompt = prompts[0]
        if len(prompts) > 1 or body.replies > 1 or body.echo or body.logprobs is not None:
            raise CaveatError(
                "stream: one prompt and one reply, without echo and logprobs; leave stream out"
            )
        assert prompt.messages is not None  # it has a limit, else it was refused
        key = request_key(body, prompt.messages, 0)
        request = Request(key, model.adapters, prompt.messages)
        return StreamingResponse(
            self._events(body, _head(model), request), media_type="text/event-stream"
        )

    async def _events(
        self, body: CompletionBody, head: dict[str, Any], request: Request[Any]
    ) -> AsyncIterator[str]:
        sent, decoded, tokenizer = "", "", self.backend.tokenizer
        async for part in self.batcher.stream(request, body.sampling):
            if isinstance(part, Answer):
                text, was_stopped = stopped(decoded, body.stops)
                yield _event(head, text[len(sent) :], finish_reason(part, was_stopped))
                break
            decoded = tokenizer.decode(part, skip_special_tokens=True)
            text = showable(decoded, body.stops)
            if len(text) > len(sent):
                yield _event(head, text[len(sent) :], None)
                sent = text
        yield "data: [DONE]\n\n"


def _head(model: ServedModel) -> dict[str, Any]:
    return {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model.id,
    }


def _event(head: Mapping[str, Any], text: str, finish: str | None) -> str:
    choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}
    return f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
