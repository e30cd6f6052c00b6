"""One study's requests to its LLM judge, and the replies that it has stored."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caveat.coroutines import run_to_end
from caveat.files.journal import Journal
from caveat.provenance import stamp
from caveat.study.config.resolve import judged_by
from caveat.study.planning.digests import judge_reply_key
from caveat.types.answers import Answer, Judge
from caveat.types.messages import Message, Messages

if TYPE_CHECKING:
    from caveat.backends.endpoint.responses import EndpointReply
    from caveat.study.config.resolve import Resolved
    from caveat.study.config.schema import Recipe
    from caveat.study.scoring.judge_client import JudgeClient


OnProgress = Callable[[int, int], None]
"""Called with the number of requests that are done, and of all."""


def ignore_progress(done: int, total: int) -> None:
    """Do nothing with the progress."""


@dataclass(frozen=True)
class JudgeRequest:
    """A prompt for the judge, and how to tell whether its reply holds a verdict."""

    messages: Messages
    retry_prompt: str
    """The further user message after a reply without a verdict. The judge gets one such retry."""
    check: Callable[[Answer], Any]
    """Raises ValueError for a reply without a verdict."""


class JudgeSession:
    """Requests to one judge. Each reply is stored as soon as it arrives."""

    def __init__(
        self, judge: Judge, key: str | None, identity: Mapping[str, Any], stored: Journal
    ) -> None:
        """`identity`: the fields of the judge that its replies depend on."""
        self.judge, self.key, self.identity, self.stored = judge, key, identity, stored

    @property
    def spent(self) -> int:
        """Tokens that this model took for the study's folder, for usable replies and others."""
        records = (self.stored[key] for key in self.stored)
        return sum(record["tokens"] for record in records if record["model"] == self.judge.model)

    def judge_replies(
        self, requests: Sequence[JudgeRequest], on_progress: OnProgress
    ) -> tuple[dict[Messages, Answer], dict[Messages, str]]:
        """The judge's replies by prompt, and by prompt the reason where there is no usable reply.

        A stored reply is not requested again.
        """
        self.stored.refresh()
        keys = {request.messages: self._key(request.messages) for request in requests}
        new = {
            request.messages: request
            for request in requests
            if keys[request.messages] not in self.stored
        }
        failures = run_to_end(self._send_all(list(new.values()), on_progress)) if new else {}
        replies = {
            messages: Answer(self.stored[key]["text"])
            for messages, key in keys.items()
            if key in self.stored
        }
        return replies, failures

    def _key(self, messages: Messages) -> str:
        return judge_reply_key(self.identity, messages)

    async def _send_all(
        self, requests: list[JudgeRequest], on_progress: OnProgress
    ) -> dict[Messages, str]:
        """Send the requests and store the replies; the reasons of those that failed, by prompt."""
        from caveat.backends.endpoint.connection import Unanswered
        from caveat.study.scoring.judge_client import JudgeClient

        failures: dict[Messages, str] = {}
        done = 0

        async def send(request: JudgeRequest) -> None:
            nonlocal done
            try:
                await self._send(client, request)
            except (Unanswered, ValueError) as error:
                failures[request.messages] = str(error)
            done += 1
            on_progress(done, len(requests))

        async with JudgeClient(self.judge, self.key, self.spent) as client:
            await asyncio.gather(*(send(request) for request in requests))
        return failures

    async def _send(self, client: JudgeClient, request: JudgeRequest) -> None:
        """Send a request, and once more where the reply holds no verdict.

        Raises ValueError where the second reply holds none either, and Unanswered.
        """
        key = self._key(request.messages)
        reply = await client.reply(request.messages)
        try:
            request.check(Answer(reply.text))
        except ValueError:
            self._store_unusable(key, reply)
            reply = await client.reply(_retry(request, reply))
            try:
                request.check(Answer(reply.text))
            except ValueError as error:
                self._store_unusable(key, reply)
                limit = self.judge.max_tokens
                cut = f" (cut at judge.max_tokens={limit}; raise it)" if reply.cut else ""
                raise ValueError(f"{error}{cut}") from None
        self._store(key, reply)

    def _store_unusable(self, key: str, reply: EndpointReply) -> None:
        """Store a reply without a verdict under a key of its own: its tokens count."""
        self._store(f"{key} unusable {uuid.uuid4().hex}", reply)

    def _store(self, key: str, reply: EndpointReply) -> None:
        self.stored.add(
            {
                "key": key,
                **self.identity,
                "text": reply.text,
                "tokens": reply.tokens,
                "counted": reply.counted,
                **stamp(),
            }
        )


def judge_session_of(
    recipe: Recipe, settings: Sequence[Resolved], stored: Journal
) -> JudgeSession | None:
    """The session with the recipe's judge; None where no question needs one.

    Raises CaveatError where the key is not in the environment, or `openai` not installed.
    """
    from caveat.study.scoring.judge_client import key_of

    if recipe.judge is None or not any(judged_by(setting) for setting in settings):
        return None
    judge = recipe.judge
    return JudgeSession(judge, key_of(judge), judge.identity(), stored)


def _retry(request: JudgeRequest, reply: EndpointReply) -> Messages:
    first = Message.of("assistant", reply.text or "(nothing)")
    return (*request.messages, first, Message.of("user", request.retry_prompt))
