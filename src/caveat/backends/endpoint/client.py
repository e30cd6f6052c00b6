"""Requests to an OpenAI-compatible service, through OpenAI's client.

The client of the package `openai` retries, waits as `Retry-After` says and keeps time. What it does
not do is here: the token cap, an end to requests that cannot succeed, failures in one line, and a
key that is shown nowhere.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from caveat.backends.endpoint.connection import (
    Connection,
    Refused,
    TokenBudget,
    Unanswered,
    estimated,
    estimated_tokens,
)
from caveat.backends.endpoint.responses import (
    EchoedPrompts,
    EndpointReply,
    Unreadable,
    chat_reply,
    completion_reply,
    echoed_prompts,
    server_message,
)
from caveat.errors import CaveatError
from caveat.types.messages import Messages

if TYPE_CHECKING:
    from openai import APIStatusError

Result = TypeVar("Result", EndpointReply, EchoedPrompts)
GIVE_UP = 8
"""After so many requests in a row that failed, each after all its retries, no more are sent."""
REFUSED = {401: "refuses the key", 403: "refuses access", 404: "knows no such model or address"}
"""Statuses that every further request to the model would get too."""
REFUSED_KEY, UNKNOWN = 401, 404
LONGEST_WAIT = 120.0
"""Seconds. OpenAI's client does not retry where `Retry-After` names a longer wait."""
NEWER_LIMIT = "max_completion_tokens"
"""What newer hosted models call `max_tokens`."""


@dataclass(frozen=True)
class Generation:
    """How one reply is to be sampled. What is None is left to the service."""

    model: str
    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """As OpenAI's API names them."""
        named = {name: getattr(self, name) for name in ("temperature", "top_p", "seed")}
        given = {name: value for name, value in named.items() if value is not None}
        return {"max_tokens": self.max_tokens, **given}


@dataclass(frozen=True)
class _Call(Generic[Result]):
    """One request, and how its response is read."""

    model: str
    prompt_tokens: int
    most_tokens: int
    """Of prompt and reply."""
    options: Mapping[str, Any]
    send: Callable[[Mapping[str, Any]], Awaitable[Any]]
    parse: Callable[[str], Result]
    kind: str


class EndpointClient:
    """Sends requests to one service, within its bounds. An asynchronous context manager."""

    def __init__(self, connection: Connection, spent: int = 0, spender: str = "the arms") -> None:
        """Nothing is sent yet. Raises CaveatError for an address that is none.

        Args:
            spent: Tokens of earlier runs, which count against the cap too.
            spender: Whose tokens they are, for messages.
        """
        from openai import AsyncOpenAI, Omit

        self.connection, self.spender = connection, spender
        self.budget = TokenBudget(connection.token_cap, spent)
        self._slots = asyncio.Semaphore(connection.concurrency)
        self._request_ended = asyncio.Condition()
        self._renamed_limit = False
        self._unknown_options: set[str] = set()
        self._failures_in_a_row = 0
        self.closed = ""
        """Why no further request is sent; "" while they are."""
        self.out_of_budget = False
        self._closed_models: dict[str, str] = {}
        # OpenAI's client would take these from environment variables that are not of this study.
        self._headers: dict[str, Any] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        if connection.key is None:
            self._headers["Authorization"] = Omit()
        try:
            self._openai = AsyncOpenAI(
                api_key=connection.key or "none",
                base_url=connection.url,
                timeout=connection.timeout,
                max_retries=connection.retries,
            )
        except Exception as error:  # of the HTTP library below: an address that is none
            field = f"{connection.section}.{connection.url_field}"
            raise CaveatError(f"{field}: {connection.url!r}: {error}; fix it") from None

    async def __aenter__(self) -> EndpointClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._openai.close()

    async def chat(self, messages: Messages, generation: Generation) -> EndpointReply:
        """A model's reply to a chat. Raises Unanswered, in one line, where there is none."""
        turns = [{"role": message.role, "content": message.text} for message in messages]
        create = self._openai.chat.completions.with_raw_response.create
        return await self._reply(
            create, {"messages": turns}, estimated_tokens(messages), generation, chat_reply,
            "chat completion",
        )  # fmt: skip

    async def complete(self, text: str, generation: Generation) -> EndpointReply:
        """A model's continuation of a text. Raises Unanswered."""
        create = self._openai.completions.with_raw_response.create
        return await self._reply(
            create, {"prompt": text}, estimated(text), generation, completion_reply, "completion"
        )

    async def _reply(
        self,
        create: Callable[..., Awaitable[Any]],
        prompt: Mapping[str, Any],
        tokens: int,
        generation: Generation,
        parse: Callable[[str, int], EndpointReply],
        kind: str,
    ) -> EndpointReply:
        return await self._answer(
            _Call(
                generation.model,
                tokens,
                tokens + generation.max_tokens,
                generation.options,
                lambda options: create(
                    model=generation.model, extra_headers=self._headers, **prompt, **options
                ),
                lambda content: parse(content, tokens),
                kind,
            )
        )

    async def echo(self, model: str, prompts: Sequence[Sequence[int]]) -> EchoedPrompts:
        """Prompts in tokens, scored by a model. Raises Unanswered."""
        create = self._openai.completions.with_raw_response.create
        lengths = [len(prompt) for prompt in prompts]
        ids = [list(prompt) for prompt in prompts]
        return await self._answer(
            _Call(
                model,
                sum(lengths),
                sum(lengths) + len(lengths),
                {"max_tokens": 0, "echo": True, "logprobs": 1, "temperature": 0},
                lambda options: create(
                    model=model, prompt=ids, extra_headers=self._headers, **options
                ),
                lambda content: echoed_prompts(content, lengths),
                "completion with log-probabilities of its prompt",
            )
        )

    async def _answer(self, call: _Call[Result]) -> Result:
        async with self._slots:
            await self._wait_for_budget(call)
            try:
                with self.budget.reserve(call.most_tokens):
                    result = await self._result(call)
                    self.budget.spent += result.tokens
            except Unanswered as error:
                self._failures_in_a_row += call.model not in self._closed_models
                if self._failures_in_a_row >= GIVE_UP and not self.closed:
                    self.closed = str(error)
                raise
            finally:
                async with self._request_ended:
                    self._request_ended.notify_all()
            self._failures_in_a_row = 0
            return result

    async def _wait_for_budget(self, call: _Call[Any]) -> None:
        """Wait until requests under way have ended and the cap allows for the call's tokens.

        Raises Unanswered where the cap never will, and where no further request is sent.
        """
        async with self._request_ended:
            await self._request_ended.wait_for(
                lambda: (
                    self._closed_to(call)
                    or self.budget.allows(call.most_tokens)
                    or not self.budget.reserved
                )
            )
        if not self._closed_to(call) and not self.budget.allows(call.most_tokens):
            self.out_of_budget = True
            self.closed = (
                f"{self.connection.section}.token_cap: {self.spender} took {self.budget.spent:,} "
                f"of {self.budget.cap:,} tokens, and the next request may exceed that; raise it "
                "and run again: the replies so far are kept"
            )
        if reason := self._closed_to(call):
            raise Unanswered(reason)

    def _closed_to(self, call: _Call[Any]) -> str:
        """Why no request of this model is sent; "" while they are."""
        return self.closed or self._closed_models.get(call.model, "")

    async def _result(self, call: _Call[Result]) -> Result:
        """The result, after as many retries as are allowed. Raises Unanswered."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        connection, start = self.connection, time.monotonic()
        # OpenAI's client times each wait for the server, which a server that sends byte by byte
        # never exceeds.
        deadline = (connection.retries + 1) * (connection.timeout + LONGEST_WAIT)
        try:
            async with asyncio.timeout(deadline):
                content = await self._sent(call)
        except (APITimeoutError, TimeoutError) as error:
            raise Unanswered(
                f"{connection.section}.timeout: {connection.url} gave no answer in "
                f"{connection.timeout:g} s{_tries(error)}; run again"
            ) from None
        except APIConnectionError as error:
            reason = self._one_line(str(error.__cause__ or error))
            raise Unanswered(f"{connection.where}: {reason}{_tries(error)}; run again") from None
        except APIStatusError as error:
            raise self._status_failure(call.model, error) from None
        finally:
            # A request that timed out may have been answered all the same, and be charged.
            seconds = time.monotonic() - start
            timed_out = min(int(seconds / connection.timeout), connection.retries + 1)
            self.budget.spent += timed_out * call.prompt_tokens
        try:
            return call.parse(self._without_key(content))
        except Unreadable:
            field = f"{connection.section}.{connection.url_field}"
            raise Refused(
                f"{connection.where} answered with no {call.kind}: {self._one_line(content)!r}; "
                f"does {field} end as it should, such as in /v1?"
            ) from None

    async def _sent(self, call: _Call[Any]) -> str:
        """The body of the response. Raises what OpenAI's client raises.

        Options that a service does not know are renamed or left out, and the request is sent anew.
        """
        from openai import BadRequestError, UnprocessableEntityError

        while True:
            options = self._accepted(call.options)
            try:
                # The raw response: OpenAI's client checks nothing that it parses.
                return (await call.send(options)).text
            except (BadRequestError, UnprocessableEntityError) as error:
                if not self._adapt(options, error.response.text):
                    raise

    def _accepted(self, options: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: v for name, v in options.items() if name not in self._unknown_options}
        if self._renamed_limit and "max_tokens" in kept and "echo" not in kept:
            kept[NEWER_LIMIT] = kept.pop("max_tokens")
        return kept

    def _adapt(self, options: Mapping[str, Any], message: str) -> bool:
        """Whether another form of the options may be accepted; it is used from now on."""
        if "max_tokens" in options and NEWER_LIMIT in message:
            self._renamed_limit = True
            return "echo" not in options
        neutral = [
            name
            for name in ("seed", "top_p")  # as words: a model's name may hold "seed0"
            if name in options and re.search(rf"\b{name}\b", message)
        ]
        dropped = {name for name in neutral if name == "seed" or options[name] == 1}
        self._unknown_options |= dropped
        return bool(dropped)

    def _status_failure(self, model: str, error: APIStatusError) -> Unanswered:
        """The failure that a status is; after one of `REFUSED` no more requests are sent."""
        status, connection = error.status_code, self.connection
        section = connection.section
        if status in REFUSED:
            reason = (
                f"{connection.where} {REFUSED[status]} ({status}); fix "
                f"{section}.{connection.url_field}, {section}.{connection.models_field} "
                f"({model!r}) or {section}.key_env ({connection.key_env!r}) and run again"
            )
            if status == REFUSED_KEY:  # which those to other models would get as well
                self.closed = reason
            self._closed_models[model] = reason
            return (Refused if status == UNKNOWN else Unanswered)(reason)
        message = f"{connection.where} answered {status}: "
        message += self._one_line(server_message(error.body))
        if status in {408, 409, 429} or status >= 500:  # those that OpenAI's client retries
            wait = error.response.headers.get("retry-after")
            wait_text = f", Retry-After: {self._one_line(wait)}" if wait else ""
            return Unanswered(f"{message}{wait_text}{_tries(error)}; run again")
        return Refused(f"{message}; fix the recipe's {section}")

    def _one_line(self, text: str) -> str:
        """A server's text, shortened, in one line, and without the key should it repeat it."""
        return " ".join(self._without_key(text).split())[:200]

    def _without_key(self, text: str) -> str:
        return text.replace(self.connection.key, "(key)") if self.connection.key else text


def _tries(error: Exception) -> str:
    """How often the request was sent, as OpenAI's client notes in its last header."""
    request = getattr(error, "request", None)
    if request is None:
        return ""
    retries = int(request.headers.get("x-stainless-retry-count", 0))
    return f" (tried {retries + 1} times)" if retries else " (tried once)"
