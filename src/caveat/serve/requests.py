"""Bodies of requests, as OpenAI's API has them, and what is refused rather than ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from caveat.errors import CaveatError
from caveat.types.answers import Sampling
from caveat.types.messages import Message, Messages

DEFAULT_TOKENS = 256
"""Most tokens of a reply whose request names no limit."""
MOST_REPLIES = 64
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "top_p": (None, 1, 1.0),
    "top_k": (None, 0, -1),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "repetition_penalty": (None, 1),
    "logit_bias": (None, {}),
    "tools": (None, []),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
    "best_of": (None, 1),
    "suffix": (None, ""),
}
"""Keys that are not supported, with the values that ask for nothing."""


class Body(BaseModel):
    """What chat and completion requests have in common; keys that change nothing are ignored."""

    model_config = ConfigDict(extra="allow")

    model: str
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_REPLIES)] | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    seed: int | None = None

    @property
    def limit(self) -> int:
        """Most tokens of a reply."""
        return DEFAULT_TOKENS if self.max_tokens is None else self.max_tokens

    @property
    def sampling(self) -> Sampling:
        """Sampling settings; OpenAI's default temperature is 1."""
        return Sampling(self.limit, 1.0 if self.temperature is None else self.temperature)

    @property
    def replies(self) -> int:
        """How many replies are requested."""
        return self.n or 1

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts before which a reply ends."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(text for text in stops if text)

    def check(self) -> None:
        """Raise CaveatError for a key that would change the reply, and is not supported."""
        for name, neutral in NEUTRAL.items():
            value = (self.model_extra or {}).get(name)
            if value not in neutral:
                raise CaveatError(f"{name}={value!r} is not supported; leave it out")

    def check_replies(self, prompts: int) -> None:
        """Raise CaveatError where a request asks for too many replies at once."""
        if prompts * self.replies > MOST_REPLIES:
            raise CaveatError(
                f"{prompts} prompts with n={self.replies}: one request gets at most {MOST_REPLIES} "
                "replies; send several"
            )


class Turn(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[dict[str, Any]]

    @property
    def message(self) -> Message:
        """As Caveat has it. Raises CaveatError for parts that are no text."""
        role = "system" if self.role == "developer" else self.role
        if isinstance(self.content, str):
            return Message.of(role, self.content)
        if any(part.get("type") != "text" for part in self.content):
            raise CaveatError("messages: only parts of type 'text' are supported")
        return Message.of(role, "".join(str(part.get("text", "")) for part in self.content))


class ChatBody(Body):
    """Body of `/v1/chat/completions`."""

    messages: Annotated[list[Turn], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None

    @property
    def limit(self) -> int:
        """Most tokens of a reply, under either name."""
        return self.max_completion_tokens or super().limit

    def check(self) -> None:
        """Also refuses log-probabilities, which completions have."""
        super().check()
        if self.logprobs:
            raise CaveatError("logprobs: /v1/completions has them; leave them out of a chat")
        if self.limit == 0:
            raise CaveatError("max_tokens=0: a chat needs at least one token to write")

    def conversation(self, system: str | None) -> Messages:
        """The chat; without a system turn of its own it gets the study's system text."""
        messages = tuple(turn.message for turn in self.messages)
        if any(message.role == "system" for message in messages[1:]):
            raise CaveatError("messages: a system turn comes first, and once")
        if messages[-1].role == "system":
            raise CaveatError("messages: there is no user turn")
        if messages[-1].role == "assistant":
            raise CaveatError(
                "messages: the last turn is the assistant's; to continue a text, use "
                "/v1/completions"
            )
        return with_system(messages, system)


def with_system(messages: Messages, system: str | None) -> Messages:
    """The chat, with the study's system text where it has no system turn of its own."""
    if not system or messages[0].role == "system":
        return messages
    return (Message.of("system", system), *messages)


class CompletionBody(Body):
    """Body of `/v1/completions`."""

    prompt: str | list[int] | list[str] | list[list[int]]
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0)] | None = None

    @property
    def prompts(self) -> list[str | list[int]]:
        """The prompts, each a text or token ids."""
        if isinstance(self.prompt, str) or not self.prompt or isinstance(self.prompt[0], int):
            return [self.prompt]  # type: ignore[list-item]
        return list(self.prompt)  # type: ignore[arg-type]


class TokenizeBody(BaseModel):
    """Body of `/tokenize`, as vLLM has it: a text, or a chat."""

    model_config = ConfigDict(extra="allow")

    prompt: str | None = None
    messages: Annotated[list[Turn], Field(min_length=1)] | None = None
    add_generation_prompt: bool = True
