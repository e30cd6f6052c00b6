"""The client of an LLM judge: `backends.endpoint.client` with a judge's bounds."""

from __future__ import annotations

from caveat.backends.endpoint.client import EndpointClient, Generation
from caveat.backends.endpoint.connection import Connection, read_key
from caveat.backends.endpoint.responses import EndpointReply
from caveat.types.answers import Judge
from caveat.types.messages import Messages


def key_of(judge: Judge) -> str | None:
    """Read the judge's key from the environment; None where the judge needs none.

    Raises CaveatError as `read_key` does.
    """
    return read_key(judge.key_env, "judge")


class JudgeClient(EndpointClient):
    """Sends requests to one judge, within its bounds. An asynchronous context manager."""

    def __init__(self, judge: Judge, key: str | None, spent: int = 0) -> None:
        """`spent`: tokens of earlier runs, which count against the cap too."""
        connection = Connection(
            judge.endpoint,
            "judge",
            "endpoint",
            "model",
            judge.key_env,
            judge.concurrency,
            judge.timeout,
            judge.retries,
            judge.token_cap,
            key,
        )
        super().__init__(connection, spent, judge.model)
        self._generation = Generation(judge.model, judge.max_tokens, judge.temperature)

    async def reply(self, messages: Messages) -> EndpointReply:
        """The judge's reply to a prompt. Raises Unanswered, in one line, where there is none."""
        return await self.chat(messages, self._generation)
