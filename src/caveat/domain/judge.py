"""A judge: a language model elsewhere that is asked what a reply means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judge:
    """Which model is asked, how, and within which bounds. Never holds a key."""

    endpoint: str
    """Address up to and with the version, such as `http://localhost:8000/v1`."""
    model: str
    temperature: float | None = 0.0
    """None leaves it to the endpoint: some models take no other than their own."""
    max_tokens: int = 64
    """Of one answer, a reasoning model's thoughts included."""
    key_env: str | None = None
    """The environment variable that holds the key; None where the endpoint wants none."""
    concurrency: int = 8
    """Most requests under way at a time."""
    timeout: float = 60.0
    """Seconds that one request may take."""
    retries: int = 4
    """Further tries of a request after the first, where a failure may pass."""
    token_cap: int = 2_000_000
    """Most tokens that this model may take for one study's folder, prompts included and all runs
    together."""
