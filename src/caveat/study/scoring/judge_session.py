"""Verdicts that need a judge: who is asked what, and what was answered before."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from caveat.provenance import stamp
from caveat.study.config.resolve import judged_by
from caveat.study.planning.digests import judge_reply_key
from caveat.study.storage.records import Journal
from caveat.types.answers import Answer, Judge
from caveat.types.messages import Message, Messages

if TYPE_CHECKING:
    from caveat.study.config.resolve import Resolved
    from caveat.study.config.schema import Recipe
    from caveat.study.scoring.judge_client import JudgeClient, JudgeReply


Result = TypeVar("Result")


def unheard(done: int, of: int) -> None:
    """Hear of progress and do nothing."""


@dataclass(frozen=True)
class JudgeRequest:
    """One thing to ask a judge."""

    messages: Messages
    again: str
    """What it is told where its answer held no verdict: it is asked once more."""
    check: Callable[[Answer], Any]
    """Raises ValueError for an answer without a verdict."""


class JudgeSession:
    """One judge and what it said so far. Every answer is kept as soon as it is there."""

    def __init__(self, judge: Judge, key: str | None, identity: Mapping[str, Any], kept: Journal):
        """`identity`: the part of the judge that its answers hang on."""
        self.judge, self.key, self.identity, self.kept = judge, key, identity, kept

    @property
    def spent(self) -> int:
        """Tokens that this model took for the study's folder, usable answers or not."""
        records = (self.kept[key] for key in self.kept)
        return sum(each["tokens"] for each in records if each["model"] == self.judge.model)

    def judge_replies(
        self, inquiries: Sequence[JudgeRequest], heard: Callable[[int, int], None]
    ) -> tuple[dict[Messages, Answer], dict[Messages, str]]:
        """What the judge said, and, where it said nothing usable, why not, by what it was asked.

        `heard` gets the number of inquiries that are done, and of all that are asked now.
        """
        self.kept.refresh()
        keys = {each.messages: self._key(each.messages) for each in inquiries}
        new = {each.messages: each for each in inquiries if keys[each.messages] not in self.kept}
        failed = _run(self._ask_all(list(new.values()), heard)) if new else {}
        said = {
            messages: Answer(self.kept[key]["text"])
            for messages, key in keys.items()
            if key in self.kept
        }
        return said, failed

    def _key(self, messages: Messages) -> str:
        return judge_reply_key(self.identity, messages)

    async def _ask_all(
        self, inquiries: list[JudgeRequest], heard: Callable[[int, int], None]
    ) -> dict[Messages, str]:
        from caveat.study.scoring.judge_client import JudgeClient, Unanswered

        failed: dict[Messages, str] = {}
        done = 0

        async def one(inquiry: JudgeRequest) -> None:
            nonlocal done
            try:
                await self._ask(client, inquiry)
            except (Unanswered, ValueError) as error:
                failed[inquiry.messages] = str(error)
            done += 1
            heard(done, len(inquiries))

        async with JudgeClient(self.judge, self.key, self.spent) as client:
            await asyncio.gather(*(one(inquiry) for inquiry in inquiries))
        return failed

    async def _ask(self, client: JudgeClient, inquiry: JudgeRequest) -> None:
        """Ask, and once more where the answer holds no verdict. Raises ValueError, Unanswered."""
        key = self._key(inquiry.messages)
        said = await client.reply(inquiry.messages)
        try:
            inquiry.check(Answer(said.text))
        except ValueError:
            self._keep(f"{key} unusable {uuid.uuid4().hex}", said)
            said = await client.reply(_once_more(inquiry, said))
            try:
                inquiry.check(Answer(said.text))
            except ValueError as error:
                self._keep(f"{key} unusable {uuid.uuid4().hex}", said)
                raise ValueError(f"{error}{self._cut(said)}") from None
        self._keep(key, said)

    def _cut(self, said: JudgeReply) -> str:
        most = self.judge.max_tokens
        return f" (cut at judge.max_tokens={most}; raise it)" if said.cut else ""

    def _keep(self, key: str, said: JudgeReply) -> None:
        self.kept.add(
            {
                "key": key,
                **self.identity,
                "text": said.text,
                "tokens": said.tokens,
                "counted": said.counted,
                **stamp(),
            }
        )


def judge_session_of(
    recipe: Recipe, settings: Sequence[Resolved], kept: Journal
) -> JudgeSession | None:
    """Who asks the recipe's judge; None where no question needs one.

    Raises CaveatError where the key is not in the environment.
    """
    from caveat.study.scoring.judge_client import key_of

    if recipe.judge is None or not any(judged_by(each) for each in settings):
        return None
    judge = recipe.judge.build()
    return JudgeSession(judge, key_of(judge), recipe.judge.identity(), kept)


def _once_more(inquiry: JudgeRequest, said: JudgeReply) -> Messages:
    answered = Message.of("assistant", said.text or "(nothing)")
    return (*inquiry.messages, answered, Message.of("user", inquiry.again))


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end, also where a loop runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
