"""OpenAI-compatible client: retries, timeouts, token budget.

Asking a judge: chat completions of any endpoint that speaks OpenAI's protocol.

Which failures of a request may pass, and how long to wait before it is tried again.

Counting the tokens that a judge takes, against a cap that is not to be passed.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError
from caveat.files.reading import parsed
from caveat.types.answers import Judge
from caveat.types.messages import Messages

if TYPE_CHECKING:
    from httpx2 import Response


GIVE_UP = 8
"""Requests failing one after the other, each after all its tries, from which on none is sent."""
REFUSED = {401: "refuses the key", 403: "refuses access", 404: "knows no such model or address"}
"""Statuses that every further request would meet with too."""


class Unanswered(CaveatError):
    """The judge gave no answer to a request: its verdict fails, and nothing else."""


class _Passing(Exception):
    """A failure that a further try may mend: the reason, and the wait that the server demands."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Said:
    """What the judge answered to one request."""

    text: str
    tokens: int
    """Prompt and answer."""
    counted: bool
    """Whether the endpoint counted the tokens; else they are estimated."""
    cut: bool
    """Whether the answer ended at `Judge.max_tokens`."""


def key_of(judge: Judge) -> str | None:
    """The judge's key, from the environment. Raises CaveatError, which never shows the key."""
    if judge.key_env is None:
        return None
    key = os.environ.get(judge.key_env, "").strip()
    if not key:
        raise CaveatError(
            f"judge.key_env: the environment variable {judge.key_env!r} is not set; export it, "
            "or leave judge.key_env out for an endpoint that wants no key"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise CaveatError(
            f"judge.key_env: the key in {judge.key_env!r} holds a sign that no key has, such as a "
            "blank or a line's end; export it again"
        )
    return key


class Client:
    """Requests to one judge: bounded, timed, tried again, counted. An async context manager."""

    def __init__(self, judge: Judge, key: str | None, spent: int = 0) -> None:
        """`spent`: tokens of earlier runs, which count against the cap too."""
        from httpx2 import AsyncClient, Limits

        self.judge, self.key = judge, key
        self.allowance = TokenAllowance(judge.token_cap, spent)
        self.address = f"{judge.endpoint.rstrip('/')}/chat/completions"
        self._http = AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            limits=Limits(max_connections=judge.concurrency),
            timeout=None,  # one clock for the whole of a request, below
        )
        self._slots = asyncio.Semaphore(judge.concurrency)
        self._settled = asyncio.Condition()
        self._limit = "max_tokens"
        self._failed_in_a_row = 0
        self._closed = ""
        """Why no further request is sent."""

    async def __aenter__(self) -> Client:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def ask(self, messages: Messages) -> Said:
        """One answer. Raises Unanswered, in one line, where none can be had."""
        async with self._slots:
            most = estimated(*(each.text for each in messages)) + self.judge.max_tokens
            await self._room_for(most)
            try:
                with self.allowance.hold(most):
                    said = await self._tried(messages)
                    self.allowance.spent += said.tokens
            except Unanswered as error:
                self._failed_in_a_row += 1
                if self._failed_in_a_row >= GIVE_UP and not self._closed:
                    self._closed = str(error)
                raise
            finally:
                async with self._settled:
                    self._settled.notify_all()
            self._failed_in_a_row = 0
            return said

    async def _room_for(self, tokens: int) -> None:
        """Wait until the cap allows for the tokens, as requests under way end. Raises Unanswered
        where it never will, and where no further request is sent."""
        async with self._settled:
            await self._settled.wait_for(
                lambda: self._closed or self.allowance.has(tokens) or not self.allowance.held
            )
        if not self._closed and not self.allowance.has(tokens):
            self._closed = self._at_the_cap()
        if self._closed:
            raise Unanswered(self._closed)

    def _at_the_cap(self) -> str:
        cap, spent = self.judge.token_cap, self.allowance.spent
        return (
            f"judge.token_cap: {self.judge.model} took {spent:,} of {cap:,} tokens, and the next "
            "request may pass that; raise it and run again: what was answered is kept"
        )

    async def _tried(self, messages: Messages) -> Said:
        """One answer after as many tries as the judge has."""
        for tries in range(1, self.judge.retries + 2):
            try:
                return await self._once(messages)
            except _Passing as error:
                reason, wait = str(error), pause(tries, error.wait)
            if wait > LONGEST_DEMAND:
                raise Unanswered(f"{reason}, and asks to wait {wait:.0f} s; run again later")
            if tries <= self.judge.retries:
                await asyncio.sleep(wait)
        times = "once" if tries == 1 else f"{tries} times"
        raise Unanswered(f"{reason} (tried {times}); run again")

    async def _once(self, messages: Messages) -> Said:
        from httpx2 import HTTPError, InvalidURL

        try:
            async with asyncio.timeout(self.judge.timeout):
                response = await self._http.post(self.address, json=self._body(messages))
        except TimeoutError:  # it may have been read, and be paid for, all the same
            self.allowance.spent += estimated(*(each.text for each in messages))
            raise _Passing(
                f"judge.timeout: {self.judge.endpoint} gave no answer in {self.judge.timeout:g} s"
            ) from None
        except InvalidURL as error:
            raise Unanswered(f"judge.endpoint: {self.judge.endpoint}: {error}; mend it") from None
        except HTTPError as error:
            told = self._cleaned(str(error) or type(error).__name__)
            raise _Passing(f"judge.endpoint: {self.judge.endpoint}: {told}") from None
        if response.status_code == 400 and self._takes_another_limit(response.text):
            return await self._once(messages)
        self._check(response)
        return self._said(response, messages)

    def _body(self, messages: Messages) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.judge.model,
            "messages": [{"role": each.role, "content": each.text} for each in messages],
            self._limit: self.judge.max_tokens,
        }
        if self.judge.temperature is not None:
            body["temperature"] = self.judge.temperature
        return body

    def _takes_another_limit(self, text: str) -> bool:
        """Whether to say `max_completion_tokens` from now on, as newer hosted models demand."""
        other = "max_completion_tokens"
        if self._limit == other or other not in text:
            return False
        self._limit = other
        return True

    def _check(self, response: Response) -> None:
        """Raise for a status that is no answer."""
        status = response.status_code
        if status == 200:
            return
        where = f"judge.endpoint: {self.judge.endpoint}"
        said = self._cleaned(_message(response))
        if status in PASSING:
            wait = demanded(response.headers)
            raise _Passing(f"{where} answered {status}: {said}", wait)
        if status in REFUSED:
            self._closed = (
                f"{where} {REFUSED[status]} ({status}); mend judge.endpoint, judge.model "
                f"({self.judge.model!r}) or judge.key_env ({self.judge.key_env!r}) and run again"
            )
            raise Unanswered(self._closed)
        raise Unanswered(f"{where} answered {status}: {said}; mend the recipe's judge")

    def _said(self, response: Response, messages: Messages) -> Said:
        """The answer. Raises Unanswered where the body is no chat completion."""
        try:
            body = parsed(response.content)
            choice = body["choices"][0]
            text = choice["message"].get("content") or ""
            cut = choice.get("finish_reason") == "length"
            if not isinstance(text, str):
                raise TypeError(text)
        except (ValueError, LookupError, TypeError, AttributeError):
            found = self._cleaned(response.text)
            raise Unanswered(
                f"judge.endpoint: {self.judge.endpoint} answered with no chat completion: "
                f"{found!r}; does judge.endpoint end as it should, such as in /v1?"
            ) from None
        tokens, counted = tokens_of(body.get("usage"), messages, text)
        return Said(self._without_key(text), tokens, counted, cut)

    def _cleaned(self, text: str) -> str:
        """What a server said, short, in one line, and without the key should it repeat it."""
        return " ".join(self._without_key(text).split())[:200]

    def _without_key(self, text: str) -> str:
        return text.replace(self.key, "(key)") if self.key else text


def _message(response: Response) -> str:
    """The message in an error's body, or all of the body."""
    try:
        error = parsed(response.content)["error"]
        return str(error["message"] if isinstance(error, Mapping) else error)
    except (ValueError, LookupError, TypeError):
        return response.text


PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""HTTP statuses that say: not now."""
FIRST_WAIT = 0.5
"""Seconds before the second try; each further one waits twice as long."""
LONGEST_WAIT = 30.0
LONGEST_DEMAND = 120.0
"""Seconds. A server that asks for a longer wait is not waited for."""


def pause(tries: int, demanded: float | None = None) -> float:
    """Seconds to wait after `tries` failures: what the server demanded, or a growing wait.

    The latter varies by a half, so that requests that failed together do not come back together.
    """
    if demanded is not None:
        return demanded
    return min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT) * random.uniform(0.75, 1.25)


def demanded(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or a date; None where it says nothing."""
    said = headers.get("retry-after", "").strip()
    try:
        return max(float(said), 0.0) if said.isdigit() else _until(parsedate_to_datetime(said))
    except (ValueError, TypeError):
        return None


def _until(moment: datetime) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)


SIGNS_A_TOKEN = 4
"""Characters of English text to a token, about: where the endpoint counts nothing."""
TOKENS_A_TURN = 4
"""What the chat template puts around each turn."""


@dataclass
class TokenAllowance:
    """Tokens spent, and those that requests under way may yet take."""

    cap: int
    spent: int = 0
    held: int = 0

    def has(self, tokens: int) -> bool:
        """Whether a request of so many tokens keeps within the cap."""
        return self.spent + self.held + tokens <= self.cap

    @contextmanager
    def hold(self, tokens: int) -> Iterator[None]:
        """Keep tokens back for a request while it is under way."""
        self.held += tokens
        try:
            yield
        finally:
            self.held -= tokens


def estimated(*texts: str) -> int:
    """Tokens of turns of a chat, by their length."""
    return sum(-(-len(text) // SIGNS_A_TOKEN) + TOKENS_A_TURN for text in texts)


def tokens_of(usage: Any, messages: Messages, answer: str) -> tuple[int, bool]:
    """Tokens that a request took, and whether the endpoint counted them or they are estimated."""
    if isinstance(usage, Mapping):
        parts = [usage.get(key) for key in ("prompt_tokens", "completion_tokens")]
        for count in (usage.get("total_tokens"), _sum(parts)):
            if type(count) is int and count > 0:
                return count, True
    return estimated(*(message.text for message in messages), answer), False


def _sum(parts: list[Any]) -> int | None:
    return sum(parts) if all(type(part) is int for part in parts) else None
