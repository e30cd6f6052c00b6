"""Running what Inspect runs inside an evaluation: states, and coroutines without a model."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from caveat.environments.loading import VERSION_LENGTH
from caveat.errors import CaveatError
from caveat.types.messages import Message, Messages

if TYPE_CHECKING:
    from inspect_ai.model import Model
    from inspect_ai.solver import TaskState


MODEL = "caveat/reply"
"""The model's name in states of ours; no model is behind it."""
STAND_IN = {"INSPECT_EVAL_MODEL": "mockllm/model"}
"""For scorers that look a model up: whatever they get, generating is refused."""


def state_of(
    name: str,
    text: Any,
    reply: str,
    target: Any,
    choices: list[str] | None = None,
    metadata: dict[str, Any] | None = None,
    system: str | None = None,
) -> TaskState:
    """A state before the solvers; with a reply, one that a scorer can judge."""
    from inspect_ai.model import (
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageUser,
        ModelName,
        ModelOutput,
    )  # fmt: skip
    from inspect_ai.scorer import Target
    from inspect_ai.solver import TaskState

    turns = [ChatMessageUser(content=text)] if isinstance(text, str) else text
    turns = [turn.model_copy(deep=True) for turn in turns]
    if system:
        turns.insert(0, ChatMessageSystem(content=system))
    if reply:
        turns.append(ChatMessageAssistant(content=reply, model=MODEL))
    return TaskState(
        model=ModelName(MODEL),
        sample_id=name,
        epoch=1,
        input=text,
        messages=turns,
        target=Target(target),
        choices=list(choices) if choices else None,
        output=ModelOutput.from_content(MODEL, reply),
        metadata=dict(metadata or {}),
    )


def messages_of(state: TaskState, where: str) -> Messages:
    """The state's turns. Raises CaveatError for tools' turns and for more than text."""
    messages = []
    for message in state.messages:
        if message.role not in ("system", "user", "assistant"):
            raise CaveatError(f"{where}: has a turn of the role {message.role!r}; leave it out")
        content = message.content
        if not isinstance(content, str) and any(part.type != "text" for part in content):
            raise CaveatError(f"{where}: has more than text; leave images and files out")
        messages.append(Message.of(message.role, message.text))
    return tuple(messages)


@contextmanager
def no_model() -> Iterator[list[str]]:
    """Inspect's models refuse to generate; the names of those that were to."""
    from inspect_ai.model import Model

    original, requests = Model.generate, []
    before = {name: os.environ.get(name) for name in STAND_IN}

    async def refuse(self: Model, *_: Any, **__: Any) -> Any:
        requests.append(self.name)
        raise _NeedsModelError(self.name)

    Model.generate = refuse  # type: ignore[method-assign]
    os.environ.update(STAND_IN)
    try:
        yield requests
    finally:
        Model.generate = original  # type: ignore[method-assign]
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _NeedsModelError(Exception):
    """A scorer or solver wants a model to generate."""


def is_missing_model(error: Exception) -> bool:
    """Whether an error means that a scorer or solver wanted a model."""
    # Inspect says so in a class of its own where no model, or no key for one, is configured.
    return isinstance(error, _NeedsModelError) or type(error).__name__ == "PrerequisiteError"


def short(error: Exception) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def prompt_digest(messages: Messages) -> str:
    """A digest of a prompt, to notice that a task makes another one."""
    text = json.dumps([(message.role, message.text) for message in messages])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:VERSION_LENGTH]
