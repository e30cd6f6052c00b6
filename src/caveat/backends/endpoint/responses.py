"""What a service sends back: replies, echoed prompts with log-probabilities, and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from caveat.backends.endpoint.connection import counted_tokens, estimated
from caveat.files.reading import parse_json

ENDS = ("stop", "length", "content_filter", "tool_calls")
"""Why a service may end a reply. Without text and one of these, what came is no reply."""


class Unreadable(ValueError):
    """A response that is not what OpenAI's API sends."""


@dataclass(frozen=True)
class EndpointReply:
    """A model's reply to one request."""

    text: str
    tokens: int
    """Prompt and reply together."""
    counted: bool
    """Whether the service counted the tokens; otherwise they are estimated."""
    cut: bool
    """Whether the reply was cut at its limit."""
    reply_tokens: int
    """Of the reply alone."""


@dataclass(frozen=True)
class EchoedPrompts:
    """Prompts that were scored."""

    texts: tuple[str, ...]
    """Each prompt as the service reads its tokens."""
    log_likelihoods: tuple[tuple[float | None, ...], ...]
    """Of each prompt's tokens, in nats; None of the first one."""
    tokens: int


def chat_reply(content: str, prompt_tokens: int) -> EndpointReply:
    """The reply in a chat completion. Raises Unreadable.

    Args:
        prompt_tokens: Estimated, for services that count none.
    """
    body, choice = _first_choice(content)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise Unreadable(content)
    return _reply(body, choice, message.get("content") or message.get("refusal"), prompt_tokens)


def completion_reply(content: str, prompt_tokens: int) -> EndpointReply:
    """The continuation in a completion. Raises Unreadable."""
    body, choice = _first_choice(content)
    return _reply(body, choice, choice.get("text"), prompt_tokens)


def _first_choice(content: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    choices = _choices(content)
    return parse_json(content), choices[0]


def _choices(content: str) -> Sequence[Mapping[str, Any]]:
    try:
        choices = parse_json(content)["choices"]
        if not choices or not all(isinstance(choice, Mapping) for choice in choices):
            raise Unreadable(content)
    except (ValueError, LookupError, TypeError):
        raise Unreadable(content) from None
    return choices


def _reply(
    body: Mapping[str, Any], choice: Mapping[str, Any], text: object, prompt_tokens: int
) -> EndpointReply:
    if text is None and choice.get("finish_reason") not in ENDS:
        raise Unreadable(str(choice))  # an upstream error in the form of a reply
    text = text or ""
    if not isinstance(text, str):
        raise Unreadable(text)
    usage = body.get("usage")
    tokens = counted_tokens(usage)
    counted = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    reply_tokens = counted if type(counted) is int else estimated(text)
    return EndpointReply(
        text,
        prompt_tokens + estimated(text) if tokens is None else tokens,
        tokens is not None,
        choice.get("finish_reason") == "length",
        reply_tokens,
    )


def echoed_prompts(content: str, lengths: Sequence[int]) -> EchoedPrompts:
    """The scored prompts of a completion with `echo`. Raises Unreadable.

    Args:
        lengths: Tokens of each prompt.
    """
    choices = sorted(_choices(content), key=lambda choice: choice.get("index") or 0)
    if len(choices) != len(lengths):
        raise Unreadable(content)
    texts, scores = [], []
    for choice, length in zip(choices, lengths, strict=True):
        logprobs = choice.get("logprobs")
        values = logprobs.get("token_logprobs") if isinstance(logprobs, Mapping) else None
        if not isinstance(values, list) or len(values) < length:
            raise Unreadable(content)
        values = values[:length]  # some services write one token more
        if not all(type(value) in (int, float) and isfinite(value) for value in values[1:]):
            raise Unreadable(content)
        tokens = logprobs.get("tokens")
        has_tokens = isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)
        texts.append("".join(tokens[:length]) if has_tokens else str(choice.get("text") or ""))
        scores.append(tuple(values))
    tokens = counted_tokens(parse_json(content).get("usage"))
    return EchoedPrompts(tuple(texts), tuple(scores), sum(lengths) if tokens is None else tokens)


def server_message(body: object) -> str:
    """The message in the body of an error, or all of the body."""
    if isinstance(body, Mapping):
        error = body.get("error", body)
        return str(error.get("message", error) if isinstance(error, Mapping) else error)
    return str(body)
