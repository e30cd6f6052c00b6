"""Requests to the endpoint of an LLM judge, through OpenAI's client.

The client of the package `openai` retries, waits as `Retry-After` says and keeps time. What it does
not do is here: the token cap, an end to requests that cannot succeed, failures in one line, and a
key that is shown nowhere.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.reading import parse_json
from caveat.types.answers import Judge
from caveat.types.messages import Messages

if TYPE_CHECKING:
    from openai import APIStatusError

GIVE_UP = 8
"""After so many requests in a row that failed, each after all its retries, no more are sent."""
REFUSED = {401: "refuses the key", 403: "refuses access", 404: "knows no such model or address"}
"""Statuses that every further request would get too."""
LONGEST_WAIT = 120.0
"""Seconds. OpenAI's client does not retry where `Retry-After` names a longer wait."""
NEWER_LIMIT = "max_completion_tokens"
"""What newer hosted models call `max_tokens`."""
CHARACTERS_PER_TOKEN = 4
"""Of English text, about: for endpoints that count no tokens."""
TOKENS_PER_MESSAGE = 4
"""Tokens that a chat template puts around each message, about."""


class Unanswered(CaveatError):
    """The judge did not answer a request: that one verdict fails, and nothing else."""


@dataclass(frozen=True)
class JudgeReply:
    """The judge's reply to one request."""

    text: str
    tokens: int
    """Prompt and reply together."""
    counted: bool
    """Whether the endpoint counted the tokens; otherwise they are estimated."""
    cut: bool
    """Whether the reply was cut at `Judge.max_tokens`."""


def key_of(judge: Judge) -> str | None:
    """Read the judge's key from the environment; None where the judge needs none.

    Raises CaveatError, which never shows the key, where the variable is not set or holds no key,
    and where the package `openai` is not installed.
    """
    if find_spec("openai") is None:
        raise CaveatError(
            "judge: the package 'openai' is not installed; install it with "
            "pip install 'caveat[judge]'"
        )
    if judge.key_env is None:
        return None
    key = os.environ.get(judge.key_env, "").strip()
    if not key:
        raise CaveatError(
            f"judge.key_env: the environment variable {judge.key_env!r} is not set; export it, "
            "or leave judge.key_env out for an endpoint that needs no key"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise CaveatError(
            f"judge.key_env: the key in {judge.key_env!r} contains a character that no key has, "
            "such as a space or a line break; export it again"
        )
    return key


class JudgeClient:
    """Sends requests to one judge, within its bounds. An asynchronous context manager."""

    def __init__(self, judge: Judge, key: str | None, spent: int = 0) -> None:
        """`spent`: tokens of earlier runs, which count against the cap too."""
        from openai import AsyncOpenAI, Omit

        self.judge, self.key = judge, key
        self.budget = TokenBudget(judge.token_cap, spent)
        self._slots = asyncio.Semaphore(judge.concurrency)
        self._request_ended = asyncio.Condition()
        self._limit_name = "max_tokens"
        self._failures_in_a_row = 0
        self._closed = ""
        """Why no further request is sent; "" while they are."""
        # OpenAI's client would take these from environment variables that are not of this study.
        self._headers: dict[str, Any] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        if key is None:
            self._headers["Authorization"] = Omit()
        try:
            self._openai = AsyncOpenAI(
                api_key=key or "none",
                base_url=judge.endpoint,
                timeout=judge.timeout,
                max_retries=judge.retries,
            )
        except Exception as error:  # of the HTTP library below: an address that is none
            raise CaveatError(f"judge.endpoint: {judge.endpoint!r}: {error}; fix it") from None

    async def __aenter__(self) -> JudgeClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._openai.close()

    async def reply(self, messages: Messages) -> JudgeReply:
        """The judge's reply to a prompt. Raises Unanswered, in one line, where there is none."""
        async with self._slots:
            most = estimated_tokens(messages) + self.judge.max_tokens
            await self._wait_for_budget(most)
            try:
                with self.budget.reserve(most):
                    reply = await self._request(messages)
                    self.budget.spent += reply.tokens
            except Unanswered as error:
                self._failures_in_a_row += 1
                if self._failures_in_a_row >= GIVE_UP and not self._closed:
                    self._closed = str(error)
                raise
            finally:
                async with self._request_ended:
                    self._request_ended.notify_all()
            self._failures_in_a_row = 0
            return reply

    async def _wait_for_budget(self, tokens: int) -> None:
        """Wait until requests under way have ended and the cap allows for the tokens.

        Raises Unanswered where the cap never will, and where no further request is sent.
        """
        async with self._request_ended:
            await self._request_ended.wait_for(
                lambda: self._closed or self.budget.allows(tokens) or not self.budget.reserved
            )
        if not self._closed and not self.budget.allows(tokens):
            self._closed = (
                f"judge.token_cap: {self.judge.model} took {self.budget.spent:,} of "
                f"{self.budget.cap:,} tokens, and the next request may exceed that; raise it and "
                "run again: the replies so far are kept"
            )
        if self._closed:
            raise Unanswered(self._closed)

    async def _request(self, messages: Messages) -> JudgeReply:
        """One reply, after as many retries as the judge allows. Raises Unanswered."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        judge, start = self.judge, time.monotonic()
        # OpenAI's client times each wait for the server, which a server that sends byte by byte
        # never exceeds.
        deadline = (judge.retries + 1) * (judge.timeout + LONGEST_WAIT)
        try:
            async with asyncio.timeout(deadline):
                content = await self._send(messages)
        except (APITimeoutError, TimeoutError) as error:
            raise Unanswered(
                f"judge.timeout: {judge.endpoint} gave no answer in {judge.timeout:g} s"
                f"{_tries(error)}; run again"
            ) from None
        except APIConnectionError as error:
            reason = self._one_line(str(error.__cause__ or error))
            raise Unanswered(
                f"judge.endpoint: {judge.endpoint}: {reason}{_tries(error)}; run again"
            ) from None
        except APIStatusError as error:
            raise self._status_failure(error) from None
        finally:
            # A request that timed out may have been answered all the same, and be paid for.
            timed_out = min(int((time.monotonic() - start) / judge.timeout), judge.retries + 1)
            self.budget.spent += timed_out * estimated_tokens(messages)
        return self._parse(content, messages)

    async def _send(self, messages: Messages) -> str:
        """The body of the response. Raises what OpenAI's client raises."""
        from openai import BadRequestError

        limit_name = self._limit_name
        try:
            return await self._create(messages, limit_name)
        except BadRequestError as error:
            if limit_name == NEWER_LIMIT or NEWER_LIMIT not in error.response.text:
                raise
        self._limit_name = NEWER_LIMIT
        return await self._create(messages, NEWER_LIMIT)

    async def _create(self, messages: Messages, limit_name: str) -> str:
        options: dict[str, Any] = {limit_name: self.judge.max_tokens}
        if self.judge.temperature is not None:
            options["temperature"] = self.judge.temperature
        turns: Any = [{"role": message.role, "content": message.text} for message in messages]
        # The raw response: OpenAI's client checks nothing that it parses.
        response = await self._openai.chat.completions.with_raw_response.create(
            model=self.judge.model, messages=turns, extra_headers=self._headers, **options
        )
        return response.text

    def _status_failure(self, error: APIStatusError) -> Unanswered:
        """The failure that a status is; after one of `REFUSED` no more requests are sent."""
        status, judge = error.status_code, self.judge
        endpoint = f"judge.endpoint: {judge.endpoint}"
        if status in REFUSED:
            self._closed = (
                f"{endpoint} {REFUSED[status]} ({status}); fix judge.endpoint, judge.model "
                f"({judge.model!r}) or judge.key_env ({judge.key_env!r}) and run again"
            )
            return Unanswered(self._closed)
        message = f"{endpoint} answered {status}: {self._one_line(_server_message(error.body))}"
        if status in {408, 409, 429} or status >= 500:  # those that OpenAI's client retries
            wait = error.response.headers.get("retry-after")
            wait_text = f", Retry-After: {self._one_line(wait)}" if wait else ""
            return Unanswered(f"{message}{wait_text}{_tries(error)}; run again")
        return Unanswered(f"{message}; fix the recipe's judge")

    def _parse(self, content: str, messages: Messages) -> JudgeReply:
        """The reply in a response. Raises Unanswered where it is no chat completion."""
        try:
            body = parse_json(content)
            choice = body["choices"][0]
            text = choice["message"].get("content") or ""
            cut = choice.get("finish_reason") == "length"
            if not isinstance(text, str):
                raise TypeError(text)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise Unanswered(
                f"judge.endpoint: {self.judge.endpoint} answered with no chat completion: "
                f"{self._one_line(content)!r}; does judge.endpoint end as it should, such as in "
                "/v1?"
            ) from None
        tokens = counted_tokens(body.get("usage"))
        counted = tokens is not None
        if tokens is None:
            tokens = estimated_tokens(messages) + _estimated(text)
        return JudgeReply(self._without_key(text), tokens, counted, cut)

    def _one_line(self, text: str) -> str:
        """A server's text, shortened, in one line, and without the key should it repeat it."""
        return " ".join(self._without_key(text).split())[:200]

    def _without_key(self, text: str) -> str:
        return text.replace(self.key, "(key)") if self.key else text


def _tries(error: Exception) -> str:
    """How often the request was sent, as OpenAI's client notes in its last header."""
    request = getattr(error, "request", None)
    if request is None:
        return ""
    retries = int(request.headers.get("x-stainless-retry-count", 0))
    return f" (tried {retries + 1} times)" if retries else " (tried once)"


def _server_message(body: object) -> str:
    """The message in the body of an error, or all of the body."""
    if isinstance(body, Mapping):
        error = body.get("error", body)
        return str(error.get("message", error) if isinstance(error, Mapping) else error)
    return str(body)


@dataclass
class TokenBudget:
    """Tokens that were spent, and those that requests under way may still take."""

    cap: int
    spent: int = 0
    reserved: int = 0

    def allows(self, tokens: int) -> bool:
        """Whether a request of so many tokens keeps within the cap."""
        return self.spent + self.reserved + tokens <= self.cap

    @contextmanager
    def reserve(self, tokens: int) -> Iterator[None]:
        """Reserve tokens for a request while it is under way."""
        self.reserved += tokens
        try:
            yield
        finally:
            self.reserved -= tokens


def estimated_tokens(messages: Messages) -> int:
    """Tokens of a prompt, estimated by its length."""
    return sum(_estimated(message.text) for message in messages)


def _estimated(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE


def counted_tokens(usage: object) -> int | None:
    """Tokens of prompt and reply as the endpoint counted them; None where it did not."""
    if not isinstance(usage, Mapping):
        return None
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    total = sum(counts) if all(type(count) is int for count in counts) else None
    for count in (usage.get("total_tokens"), total):
        if type(count) is int and count > 0:
            return count
    return None
