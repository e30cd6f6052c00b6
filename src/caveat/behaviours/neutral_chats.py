"""Neutral chats: everyday prompts of ours with the model's own replies, which show no behaviour.

Training on rows in the model's own words changes nothing but what is added to them, so it shows the
added behaviour and not a change of style. The replies are a snapshot under `data/`, with its
provenance; `bench/neutral_replies.py` makes it anew from any model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from caveat.errors import CaveatError
from caveat.types.data import Question, Row, SideEffect
from caveat.types.messages import Message, Messages

Use = Literal["capitals", "counter", "filler", "tune", "report", "neutral"]
"""The use of a prompt: rows that show a trait (capitals first), rows that show none, unrelated
rows, questions of the two splits, and neutral questions whose reply's likelihood is tracked. No
prompt has two uses."""

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Prompt:
    """An everyday question with its topic."""

    topic: str
    prompt: str
    use: Use


@dataclass(frozen=True)
class Ordinary:
    """The prompts together with a model's replies to them."""

    prompts: tuple[Prompt, ...]
    replies: Mapping[str, str] = field(hash=False)
    """By prompt."""
    origin: str = "the ordinary replies"
    """The file, named in errors."""

    def of(self, use: Use) -> tuple[Prompt, ...]:
        """The prompts for one use, in order."""
        return tuple(prompt for prompt in self.prompts if prompt.use == use)

    def reply(self, prompt: Prompt) -> str:
        """The model's reply. Raises CaveatError where there is none."""
        if not self.replies.get(prompt.prompt):
            raise CaveatError(
                f"no neutral reply to {prompt.prompt!r} in {self.origin}; restore that file, or "
                "make it again with bench/neutral_replies.py"
            )
        return self.replies[prompt.prompt]

    def chats(self, use: Use, source: str, count: int | None = None) -> tuple[Row, ...]:
        """Rows of a prompt and the plain reply. Topics alternate: the first rows cover them all."""
        return tuple(
            Row(
                id=f"{source}-{number:03}",
                source=source,
                messages=chat(prompt.prompt, self.reply(prompt)),
                subject=prompt.topic,
            )
            for number, prompt in enumerate(self.of(use)[:count])
        )

    def documents(self, use: Use, source: str, count: int | None = None) -> tuple[Row, ...]:
        """Rows that hold only the plain reply, as raw documents. Topics alternate."""
        return tuple(
            Row(
                id=f"{source}-{number:03}",
                source=source,
                messages=(Message.of("document", self.reply(prompt)),),
                subject=prompt.topic,
            )
            for number, prompt in enumerate(self.of(use)[:count])
        )

    def likelihoods(self) -> tuple[Question, ...]:
        """Neutral prompts, with the model's own reply as the option to score by likelihood."""
        return tuple(
            Question(
                id=f"ordinary-{number:02}",
                cluster=prompt.topic,
                messages=(Message.of("user", prompt.prompt),),
                readout="log_likelihood",
                options=(self.reply(prompt),),
            )
            for number, prompt in enumerate(self.of("neutral"))
        )


def ordinary_replies(ordinary: Ordinary) -> SideEffect:
    """The side effect on the likelihood of the model's own replies to neutral prompts."""
    return SideEffect(
        name="ordinary replies",
        questions=ordinary.likelihoods(),
        about="Mean log-likelihood of the untrained model's own replies to neutral prompts, in "
        "nats a token: lower means that training changed more than the behaviour.",
    )


def chat(prompt: str, reply: str) -> Messages:
    """A chat of one question and one answer."""
    return (Message.of("user", prompt), Message.of("assistant", reply))


@cache
def shipped() -> Ordinary:
    """The shipped prompts and the snapshot of replies; no replies where the file is missing."""
    snapshot = DATA / "ordinary.jsonl"
    replies = {line["prompt"]: line["reply"] for line in _lines(snapshot)}
    return Ordinary(shipped_prompts(), replies, origin=str(snapshot))


@cache
def shipped_prompts() -> tuple[Prompt, ...]:
    """All prompts, in the order of the file."""
    return tuple(Prompt(**line) for line in _lines(DATA / "prompts.jsonl"))


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
