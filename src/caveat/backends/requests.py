"""What a backend is to answer or to read, text by text, and answers that are not whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from caveat.backends.jobs import AdapterT, Failed
from caveat.errors import CaveatError
from caveat.types.messages import Messages

if TYPE_CHECKING:
    from caveat.types.answers import Answer


@dataclass(frozen=True)
class Request(Generic[AdapterT]):
    """One prompt to one model."""

    key: str
    """Seeds the sampling: the same key gives the same uniforms, whatever it is sampled with."""
    adapters: tuple[AdapterT, ...]
    """The attached adapters, in order; () is the base model."""
    messages: Messages
    options: tuple[str, ...] = ()
    """Continuations to score; without them a reply is sampled."""


@dataclass(frozen=True)
class TokenRequest(Generic[AdapterT]):
    """One text to one model, to score single tokens of it."""

    key: str
    adapters: tuple[AdapterT, ...]
    """The attached adapters, in order; () is the base model."""
    ids: tuple[int, ...]
    """The text in tokens."""
    targets: tuple[int, ...]
    """Positions, 1 or more and ascending, whose token is scored given all before it."""


@dataclass(frozen=True)
class PatchRequest(TokenRequest[AdapterT]):
    """A text whose keys and values at some positions are those that another model computes."""

    donor: tuple[AdapterT, ...] = ()
    """The adapters of the other model, which reads the same text; () is the base model."""
    positions: tuple[int, ...] = ()
    """Positions whose keys and values are the other model's, in every layer; () changes nothing."""


@dataclass(frozen=True)
class ReplyPatchRequest(Request[AdapterT]):
    """A prompt whose keys and values at some positions are those that another model computes."""

    donor: tuple[AdapterT, ...] = ()
    """The adapters of the other model, which reads the same prompt; () is the base model."""
    positions: tuple[int, ...] = ()
    """Positions among the prompt's tokens; () changes nothing."""


@dataclass(frozen=True)
class StateRequest(Generic[AdapterT]):
    """One text to one model, to read its hidden states."""

    key: str
    adapters: tuple[AdapterT, ...]
    """The attached adapters, in order; () is the base model."""
    ids: tuple[int, ...]
    """The text in tokens."""
    spans: tuple[tuple[int, ...], ...]
    """Positions, some at a time: the mean of their states is what is read."""


class PartlyAnswered(CaveatError):
    """Some requests of a call have no answer, and sending them again now would not help.

    Raised instead of returning by backends whose answers cost money or depend on a network.
    """

    def __init__(self, results: Sequence[Answer | Failed]) -> None:
        """`results`: in the order of the requests, the answer or why there is none."""
        self.results = tuple(results)
        reasons = dict.fromkeys(one.reason for one in results if isinstance(one, Failed))
        super().__init__("; ".join(reasons))


def partly(work: Callable[[], Sequence[Any]]) -> Sequence[Any]:
    """What a call gives, with a `Failed` for each request that has no answer."""
    try:
        return work()
    except PartlyAnswered as error:
        return error.results


def whole(results: list[Any]) -> list[Any]:
    """The results of a call. Raises PartlyAnswered where there is a `Failed` among them."""
    if any(isinstance(result, Failed) for result in results):
        raise PartlyAnswered(results)
    return results


class Unusable(CaveatError):
    """The backend can do nothing more in this run: a key was refused, or nothing was reached."""
