"""Requests that wait together become one pass of the backend, on the one thread that may use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from caveat.backends.base import Backend
from caveat.backends.jobs import AdapterRef
from caveat.backends.requests import Request
from caveat.types.answers import Answer, Sampling

Result = TypeVar("Result")
WAIT = 0.02
"""Seconds that the first request of a pass waits for others."""
MOST_REQUESTS = 64
"""Requests of one pass: more would let the first ones wait for long."""
MOST_WAITING = 1024
"""Requests that may wait: beyond, new ones are refused."""


class Busy(Exception):
    """Too many requests wait already; the text says so."""


@dataclass(frozen=True)
class Waiting:
    """A request that is not answered yet."""

    request: Request[AdapterRef]
    sampling: Sampling
    answer: asyncio.Future[Answer]
    on_token: Callable[[int, int], None] | None
    """Hears of each token of the reply: its position from 0, and its id."""


class Batcher:
    """Puts requests with equal sampling settings into one pass over the shared base model."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.passes = 0
        """Passes so far."""
        self._waiting: list[Waiting] = []
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "backend")

    async def work(self) -> None:
        """Answer requests until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(WAIT)
            self._wake.clear()
            while self._waiting:
                await self._one_pass(self._taken())

    def close(self) -> None:
        """Finish the pass under way, and take no more."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function on the backend's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, function, *arguments)

    async def reply(
        self,
        request: Request[AdapterRef],
        sampling: Sampling,
        on_token: Callable[[int, int], None] | None = None,
    ) -> Answer:
        """A sampled reply. Raises Busy, or what the backend raised."""
        if len(self._waiting) >= MOST_WAITING:
            raise Busy(f"{MOST_WAITING} requests are waiting already; send this one again later")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(request, sampling, answer, on_token))
        self._wake.set()
        return await answer

    async def stream(
        self, request: Request[AdapterRef], sampling: Sampling
    ) -> AsyncIterator[tuple[int, ...] | Answer]:
        """The ids sampled so far, each time there are more; last the answer."""
        loop, events = asyncio.get_running_loop(), asyncio.Queue[int | None]()
        tokens: list[int] = []

        def on_token(position: int, token: int) -> None:
            if position == len(tokens):  # a reply that is sampled again says its tokens again
                tokens.append(token)
                loop.call_soon_threadsafe(events.put_nowait, position + 1)

        answer = asyncio.ensure_future(self.reply(request, sampling, on_token))
        answer.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (count := await events.get()) is not None:
                yield tuple(tokens[:count])
            yield await answer
        finally:
            answer.cancel()

    def _taken(self) -> list[Waiting]:
        """The requests of the next pass: those with the settings of the one that waits longest."""
        sampling = self._waiting[0].sampling
        taken = [one for one in self._waiting if one.sampling == sampling][:MOST_REQUESTS]
        answers = {id(one.answer) for one in taken}
        self._waiting = [one for one in self._waiting if id(one.answer) not in answers]
        return [one for one in taken if not one.answer.cancelled()]

    async def _one_pass(self, batch: Sequence[Waiting]) -> None:
        if not batch:
            return
        by_key: dict[str, list[Waiting]] = {}
        for one in batch:  # equal requests with a seed have one key, and one reply
            by_key.setdefault(one.request.key, []).append(one)

        def on_token(key: str, position: int, token: int) -> None:
            for one in by_key[key]:
                if one.on_token is not None:
                    one.on_token(position, token)

        requests = [waiting[0].request for waiting in by_key.values()]
        self.passes += 1
        try:
            answers = await self.run(self.backend.generate, requests, batch[0].sampling, on_token)
        except Exception as error:
            for one in batch:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return
        for waiting, answer in zip(by_key.values(), answers, strict=True):
            for one in waiting:
                if not one.answer.done():
                    one.answer.set_result(answer)
