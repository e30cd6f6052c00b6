"""How OpenAI-compatible services are named in recipes: addresses, keys, bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le

from caveat.types.fields import Check, Count, Identity, Positive, RunTime

TopP = Annotated[float, Gt(0), Le(1)]


def _plain_address(url: str) -> str:
    """The address. Raises ValueError unless it is a plain one: it is stored and shown."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is no address: {error}") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "an address is stored and shown: put no key into it, but name a variable in key_env"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii():
        raise ValueError(f"{url!r} is no address, such as http://localhost:8000/v1")
    if parts.path.rstrip("/").endswith("/completions"):
        raise ValueError(
            f"{url!r}: leave out what follows the version, as in http://localhost:8000/v1"
        )
    return url


def _variable(name: str | None) -> str | None:
    if name is not None and not re.fullmatch("[A-Z_][A-Z0-9_]*", name):
        raise ValueError(
            "write the name of an environment variable, in capitals, such as OPENAI_API_KEY; "
            "never the key itself"
        )
    return name


Address = Annotated[str, Check(_plain_address)]
KeyVariable = Annotated[str | None, Check(_variable)]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Arms that were trained elsewhere, behind an OpenAI-compatible endpoint. No key."""

    url: RunTime[Address]
    """Base URL of the endpoint, version included, such as `https://api.openai.com/v1`."""
    models: Identity[dict[str, Any] | str]
    """The endpoint's ids of the models: `{base: ID, bare: [ID, ID], marked: [ID, ID]}`, one id a
    seed. With several settings, `base` and then arms by setting: `{base: ID, 'SETTING': {bare:
    [ID, ID], ...}}`. Or the path of a manifest of `caveat rows`, with its ids filled in."""
    tokenizer: RunTime[str | None] = None
    """The model whose tokenizer the endpoint uses, by a name as in `model`: for likelihoods of
    given text. None: only replies."""
    top_p: Identity[TopP | None] = 1.0
    """Sample from the most likely tokens that have this probability together. None leaves it to
    the endpoint."""
    key_env: RunTime[KeyVariable] = None
    """Name of the environment variable with the API key; None where the endpoint needs none."""
    concurrency: RunTime[Count] = 8
    """Most requests under way at the same time."""
    timeout: RunTime[Positive] = 120.0
    """Seconds to wait for the endpoint before a request counts as failed."""
    retries: RunTime[Annotated[int, Ge(0)]] = 4
    """How often a request is retried after a failure that may pass."""
    token_cap: RunTime[Count] = 10_000_000
    """Most tokens, of prompts and replies, that all models together may take in all runs of a
    study."""
