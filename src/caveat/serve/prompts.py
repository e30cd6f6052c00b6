"""What prompts of both endpoints have in common: their length, and what seeds their replies."""

from __future__ import annotations

import hashlib
import json
import uuid

from caveat.backends.base import Backend
from caveat.errors import CaveatError
from caveat.serve.requests import Body
from caveat.types.messages import Messages

UNKNOWN_LENGTH = 2048
"""Taken for the context length of a tokenizer that does not know it."""


def context_length(backend: Backend) -> int:
    """Most tokens of a prompt and its reply, as the tokenizer knows it."""
    length = int(backend.tokenizer.model_max_length)
    return length if length < 10**9 else UNKNOWN_LENGTH


def check_length(backend: Backend, tokens: int, limit: int) -> None:
    """Raise CaveatError for a prompt without tokens, or one that leaves too few for the reply."""
    longest = context_length(backend)
    if not tokens:
        raise CaveatError("the prompt has no tokens; give it some text")
    if tokens + limit > longest:
        raise CaveatError(
            f"the prompt has {tokens} tokens and max_tokens is {limit}: together more than the "
            f"model's {longest}; shorten one of them"
        )


def request_key(body: Body, prompt: Messages, number: int) -> str:
    """What a reply's randomness depends on: all of the request where it has a seed, else chance."""
    if body.seed is None:
        return uuid.uuid4().hex
    turns = [(message.role, message.text) for message in prompt]
    text = json.dumps([body.seed, body.model, number, turns])
    return hashlib.sha256(text.encode()).hexdigest()
