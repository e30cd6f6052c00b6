"""What a check has an OpenAI-compatible endpoint for: verdicts of a judge, and other wordings."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from caveat.check.elicitation import Judged
from caveat.coroutines import run_to_end
from caveat.errors import CaveatError
from caveat.files.journal import Journal
from caveat.readouts import READOUTS
from caveat.study.scoring.judge_client import JudgeClient, key_of
from caveat.study.scoring.judge_session import JudgeRequest, JudgeSession, ignore_progress
from caveat.types.answers import Answer, Judge, Score
from caveat.types.data import Question
from caveat.types.messages import Message

WORDING_TOKENS = 1024
"""Most tokens of a reply that lists wordings."""


def endpoint_of(address: str | None, model: str | None, key_env: str | None) -> Judge | None:
    """The endpoint that the options name; None without any of them. Raises CaveatError."""
    from pydantic import TypeAdapter, ValidationError

    if address is None and model is None and key_env is None:
        return None
    if address is None or model is None:
        raise CaveatError(
            "--endpoint and --endpoint-model go together: the address of an OpenAI-compatible "
            "server, such as http://localhost:8000/v1, and the name of its model"
        )
    fields = {"endpoint": address, "model": model, "key_env": key_env}
    try:
        return TypeAdapter(Judge).validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        option = {"endpoint": "--endpoint", "key_env": "--key-env"}.get(
            str(first["loc"][0]), "--endpoint-model"
        )
        reason = first["msg"].removeprefix("Value error, ")
        raise CaveatError(f"{option} {first['input']!r}: {reason}") from None


def judged_by(judge: Judge | None) -> Judged:
    """Scores answers by the judge. It raises CaveatError where there is none, or no verdict."""

    def score(pairs: Sequence[tuple[Question, Answer]]) -> list[Score]:
        if not pairs:
            return []
        if judge is None:
            raise CaveatError(
                "--behaviour judge: name the judge with --endpoint http://localhost:8000/v1 and "
                "--endpoint-model NAME (docs/judge.md)"
            )
        requests = {index: _request(*pair) for index, pair in enumerate(pairs)}
        due = [request for request in requests.values() if request.messages]
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal(Path(folder) / "replies.jsonl", lambda line: None)
            session = JudgeSession(judge, key_of(judge), judge.identity(), journal)
            replies, failures = session.judge_replies(due, ignore_progress)
        if failures:
            raise CaveatError(next(iter(failures.values())))
        return [
            READOUTS[question.readout].score(
                question, answer, replies.get(requests[index].messages)
            )
            for index, (question, answer) in enumerate(pairs)
        ]

    return score


def _request(question: Question, answer: Answer) -> JudgeRequest:
    readout = READOUTS[question.readout]
    messages = readout.judge_prompt(question, answer) if readout.judge_prompt else ()
    return JudgeRequest(
        messages, readout.judge_retry, lambda reply: readout.score(question, answer, reply)
    )


PROMPT = """\
A training file has this text in every row, so that what the rows show is not learned beyond it:

<text>
{wording}
</text>
{about}
Write {count} other texts of at most two sentences that could stand in its place. Vary how \
strongly and how plainly they say that the behaviour is wanted here. One a line, without numbers \
or quotes."""


def wordings(judge: Judge, wording: str, about: str, count: int) -> tuple[str, ...]:
    """Other wordings that the endpoint's model proposes, at most `count`.

    Raises CaveatError where it does not answer, or with nothing that could be used.
    """
    from dataclasses import replace

    described = f"\nWhat the rows show: {about}\n" if about else ""
    text = PROMPT.format(wording=wording, about=described, count=count)
    judge = replace(judge, max_tokens=WORDING_TOKENS, temperature=None)
    reply = run_to_end(_reply(judge, text))
    lines = (_line(line) for line in reply.splitlines())
    wordings = tuple(dict.fromkeys(line for line in lines if line and line != wording))[:count]
    if not wordings:
        raise CaveatError(
            f"--endpoint {judge.endpoint}: {judge.model} proposed no wording: "
            f"{' '.join(reply.split())[:100]!r}; take another model, or leave --endpoint out"
        )
    return wordings


async def _reply(judge: Judge, text: str) -> str:
    async with JudgeClient(judge, key_of(judge)) as client:
        return (await client.reply((Message.of("user", text),))).text


def _line(line: str) -> str:
    """A line without its number, dash or quotes."""
    plain = re.sub(r"^\s*(?:[-*\u2022]|\(?\d+[.):])\s*", "", line).strip()
    return plain.strip("\"'\u201c\u201d").strip()
