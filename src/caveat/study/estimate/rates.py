"""Tokens per second that earlier runs measured, remembered per machine and model.

One JSON file in the user's cache folder. It serves `caveat plan` and the time left that a run
shows; it never enters a digest, and deleting it loses nothing else.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from caveat.files.atomic import Unwritable, write
from caveat.files.hashing import cache_folder
from caveat.progress import Kind
from caveat.study.execution.meter import DEFAULT_RATES, KINDS, SHORTEST

if TYPE_CHECKING:
    from caveat.backends.base import Facts


SCHEMA_VERSION = 1
DEFAULT_WEIGHTS = 134_515_008
"""Number of weights of SmolLM2-135M, whose rates are `DEFAULT_RATES`."""
DEFAULT_SOURCE = "SmolLM2-135M on two CPU cores"
LEAST_WEIGHTS = 10_000_000
"""A smaller model takes about as long as one of this size, since most of its time is overhead: it
tells nothing about larger ones."""
FADING = 0.5
"""Weight of all earlier runs together, beside 1 for the latest."""
LOCK_TIMEOUT = 10.0
"""Seconds to wait for another process that writes the file."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Measured(BaseModel):
    """What runs of one model on one machine have measured of one kind of work."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tokens: Positive
    seconds: Positive

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds

    def after(self, earlier: Measured | None) -> Measured:
        """This measurement, with earlier ones at a lower weight."""
        if earlier is None:
            return self
        return Measured(
            tokens=self.tokens + FADING * earlier.tokens,
            seconds=self.seconds + FADING * earlier.seconds,
        )


class Entry(BaseModel):
    """One model on one machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    machine: str
    model: str
    """The model's identity, the dtype included."""
    name: str
    """For people."""
    weights: Annotated[int, Field(gt=0)] | None
    """Number of weights; None where unknown."""
    measured: dict[Kind, Measured] = {}

    @property
    def dtype(self) -> str:
        """In what it computes: the end of its identity."""
        return self.model.rpartition("/")[2]

    @property
    def label(self) -> str:
        """Name and dtype, for people; a service's model has no known dtype."""
        if self.model.startswith(("endpoint:", "tinker:")):
            return self.name
        return f"{self.name} in {self.dtype}"


class RatesFile(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
    entries: list[Entry]


@dataclass(frozen=True)
class Rates:
    """Tokens per second of one model on this machine."""

    by_kind: Mapping[Kind, float]
    sources: Mapping[Kind, str]
    """Where each rate comes from, for people."""

    def seconds(self, tokens: Mapping[Kind, float]) -> float:
        """How long so many tokens of each kind take."""
        return sum(tokens[kind] / self.by_kind[kind] for kind in tokens)

    def by_source(self, kinds: Iterable[Kind]) -> Iterator[tuple[str, list[Kind]]]:
        """Each source with those of the kinds whose rates come from it."""
        groups: dict[str, list[Kind]] = {}
        for kind in kinds:
            groups.setdefault(self.sources[kind], []).append(kind)
        yield from groups.items()


def entry_of(backend: Facts) -> Entry:
    """A loaded model on this machine, without any measurement."""
    return Entry(
        machine=backend.hardware,
        model=backend.identity,
        name=backend.name,
        weights=backend.weights,
    )


def expected_rates(own: Entry, say: Callable[[str], None]) -> Rates:
    """The rates to expect of a model on this machine.

    For each kind of work: the rate of earlier runs of the model on this machine; else that of the
    model nearest in size that ran here, scaled by number of weights; else the default rate, scaled
    alike. Time per token is taken to be proportional to the number of weights, as the number of
    multiplications is.
    """
    entries = _read(rates_path(), say)
    here = [entry for entry in entries if entry.machine == own.machine]
    remembered = next((entry for entry in here if entry.model == own.model), own)
    rates, sources = {}, {}
    for kind in KINDS:
        rates[kind], sources[kind] = _expected(kind, remembered, here)
    return Rates(rates, sources)


def remember(
    own: Entry, measured: Mapping[Kind, tuple[float, float]], say: Callable[[str], None]
) -> None:
    """Add what a run measured: per kind, tokens and seconds.

    Work of less than `SHORTEST` seconds is left out. Processes that end at the same time wait for
    each other. A file that cannot be written is one message, and no reason to fail.
    """
    from filelock import FileLock, Timeout

    new = {
        kind: Measured(tokens=tokens, seconds=took)
        for kind, (tokens, took) in measured.items()
        if took >= SHORTEST and tokens
    }
    if not new:
        return
    path = rates_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=LOCK_TIMEOUT):
            entries = {(entry.machine, entry.model): entry for entry in _read(path, say)}
            key = (own.machine, own.model)
            before = entries.get(key, own).measured
            merged = {kind: value.after(before.get(kind)) for kind, value in new.items()}
            entries[key] = own.model_copy(update={"measured": {**before, **merged}})
            content = RatesFile(schema_version=SCHEMA_VERSION, entries=list(entries.values()))
            write(path, content.model_dump_json(indent=1).encode())
    except (OSError, Unwritable, Timeout) as error:
        reason = getattr(error.__cause__ or error, "strerror", None) or type(error).__name__
        say(f"{path}: cannot be written ({reason}): the rates of this run are not remembered")


def rates_path() -> Path:
    """Where rates are remembered."""
    return cache_folder() / "rates.json"


def _read(path: Path, say: Callable[[str], None]) -> list[Entry]:
    """All entries. None where there is no file; a file that cannot be used is one message."""
    try:
        return RatesFile.model_validate_json(path.read_bytes()).entries
    except FileNotFoundError:
        return []
    except (OSError, ValidationError):
        say(f"{path}: damaged, or of another version of caveat; ignored, the next run replaces it")
        return []


def _expected(kind: Kind, own: Entry, here: list[Entry]) -> tuple[float, str]:
    """Rate of one kind of work, and its source."""
    if kind in own.measured:
        return own.measured[kind].rate, f"as in earlier runs of {own.name} on this machine"
    none_yet = f"no run of {own.label} on this machine yet"
    others = [
        entry for entry in here if kind in entry.measured and (entry.weights or 0) >= LEAST_WEIGHTS
    ]
    if own.weights and others:
        nearest = min(others, key=lambda entry: (_distance(entry, own), entry.dtype != own.dtype))
        rate = nearest.measured[kind].rate * _size(nearest) / _size(own)
        return rate, f"{none_yet}: scaled from {nearest.label} by number of weights"
    scaled = {kind: DEFAULT_RATES[kind] * DEFAULT_WEIGHTS / _size(own) for kind in KINDS}
    if own.measured:
        speed = statistics.geometric_mean(
            measured.rate / scaled[other] for other, measured in own.measured.items()
        )
        return scaled[kind] * speed, f"guessed from other work of {own.name} on this machine"
    if own.weights:
        return scaled[kind], f"{none_yet}: scaled from {DEFAULT_SOURCE} by number of weights"
    return scaled[kind], f"{none_yet}, and its number of weights is unknown: as {DEFAULT_SOURCE}"


def _size(entry: Entry) -> int:
    """Number of weights that time is taken to be proportional to."""
    return max(entry.weights or DEFAULT_WEIGHTS, LEAST_WEIGHTS)


def _distance(entry: Entry, own: Entry) -> float:
    """How much two models differ in size, as the logarithm of the ratio."""
    return abs(math.log(_size(entry) / _size(own)))
