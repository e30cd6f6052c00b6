"""Logs of Inspect (inspect_ai): the optional package, its reader, and what Caveat's own logs say.

A log that `caveat export STUDY inspect` wrote has an `Origin` in its metadata, so that
`caveat import inspect` needs no mapping for it.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog


ENDINGS = (".eval", ".json")
ORIGIN = "caveat"
"""The key of a log's metadata that holds its `Origin`."""
UNREAD = {"events", "store", "attachments", "timelines", "events_data"}
"""Parts of a sample that no verdict needs, and that make up most of a long log."""


def require_inspect(purpose: str) -> None:
    """Raise CaveatError where the package inspect_ai is not installed."""
    if find_spec("inspect_ai") is None:
        raise CaveatError(
            f"{purpose}: the package 'inspect_ai' is not installed; install it with "
            "pip install 'caveat[inspect]'"
        )


def read_log(path: Path) -> EvalLog:
    """A log with its samples, as Inspect's own reader gives it.

    Raises CaveatError, in one line, for a file that is missing or that the reader refuses.
    """
    from inspect_ai.log import read_eval_log

    if not path.is_file():
        raise CaveatError(f"{path}: no such file; check the path")
    try:
        return read_eval_log(path, resolve_attachments="core", exclude_fields=UNREAD)
    except Exception as error:  # the reader raises many kinds: zip, JSON, pydantic, the system's
        raise CaveatError(
            f"{path}: cannot be read as an Inspect log: {reason_of(error)}; "
            "give a .eval or .json log that inspect view opens"
        ) from None


def is_log(path: Path) -> bool:
    """Whether a file looks like a log: by its ending, and of JSON by its first keys."""
    if path.suffix != ".json":
        return path.suffix in ENDINGS
    with path.open("rb") as file:
        start = file.read(200)
    return b'"version"' in start and b'"status"' in start


def reason_of(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        return f"{key}: {first['msg']}" if key else first["msg"]
    return " ".join(str(error).split())[:200] or type(error).__name__


Word = Annotated[str, Field(min_length=1)]


class Origin(BaseModel):
    """Where a log of Caveat's own comes from: its cell and context, and what the study notes."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    format: Literal[1]
    study: Word
    version: str
    setting: Word
    phenomenon: str
    behaviour: str
    caveat: str
    model: Word
    dose: str
    """As JSON, as studies have it."""
    arm: Word
    seed: int | None
    """Of training; None for base."""
    context: Word
    order: int
    """Position of the log among those of the study."""
    expected: Literal["yes", "no"]
    """The verdict that is right at the caveat."""
    about: str
    side_effects: dict[str, str]
    """By name, what a high value means."""
    caveat_texts: dict[str, list[str]] = {}
    """What the setting's arms may recite, by `caveat` and `neutral`; logs of before lack it."""
    factors: dict[str, str]
    control: str | None
    """The arm that is the control of an arm marked+X."""
    has_control: bool
    means: dict[str, list[str]]
    draws: Annotated[int, Field(gt=0, le=1_000_000)]
    bootstrap_seed: Annotated[int, Field(ge=0)]

    @field_validator("dose")
    @classmethod
    def _is_json(cls, dose: str) -> str:
        if not isinstance(json.loads(dose), dict):
            raise ValueError("should be a JSON object")
        return dose


def origin_of(metadata: dict[str, Any] | None, path: Path) -> Origin | None:
    """The origin in a log's metadata, None for a log that Caveat did not write.

    Raises CaveatError for one that was altered.
    """
    content = (metadata or {}).get(ORIGIN)
    if content is None:
        return None
    try:
        return Origin.model_validate(content)
    except (ValidationError, RecursionError) as error:
        raise CaveatError(
            f"{path}: metadata.{ORIGIN} is not what caveat export wrote ({reason_of(error)}); "
            "export the study again"
        ) from None
