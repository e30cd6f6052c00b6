"""What a study keeps of an adapter that a service holds: a handle, and where it is valid."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from caveat.errors import CaveatError
from caveat.files.reading import parse_json

FILE = "tinker.json"


@dataclass(frozen=True)
class Checkpoint:
    """An adapter on a service."""

    service: str
    """The address, or a name where it is the client's own."""
    model: str
    """The base model, as the service names it."""
    rank: int
    sampler: str
    """The handle to sample from and to score with: `tinker://RUN/sampler_weights/NAME`."""
    state: str | None = None
    """The handle to train on from, with the optimizer's state; None where none was saved."""

    @property
    def run(self) -> str:
        """The service's name of the training run."""
        return self.sampler.removeprefix("tinker://").partition("/")[0]

    def parts(self) -> set[tuple[str, str]]:
        """Kind and name of what it consists of on the service."""
        handles = {"sampler": self.sampler} | ({"training": self.state} if self.state else {})
        return {(kind, handle.rpartition("/")[2]) for kind, handle in handles.items()}

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Checkpoint:
        """Read what `save` wrote. Raises CaveatError where it is missing or damaged."""
        path = folder / FILE
        try:
            return cls(**parse_json(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CaveatError(
                f"checkpoint '{path}' cannot be read ({error}); delete that folder and run again"
            ) from None
