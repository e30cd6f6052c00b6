"""Caveats from YAML files: the shipped ones and those of a user's folder, in one format."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from caveat.errors import CaveatError, closest
from caveat.files.reading import parse, read_yaml
from caveat.types.caveats import Caveat, Kind, Place

Probe = Literal["near_miss", "negated", "keyword", "structure", "irrelevant", "format"]
"""The contexts whose texts are given as probes. The texts of all others follow from the caveat."""


class CaveatEntry(BaseModel):
    """One entry of caveats.yaml. Unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    kind: Kind
    wordings: tuple[str, ...] = Field(min_length=1)
    place: Place
    moved_to: Place | None = None
    """By default the place itself, so that there is no context `moved`."""
    held_out: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    rephrasings: tuple[str, ...] = ()
    denies: bool = False
    local: tuple[str, ...] = ()
    probes: dict[Probe, tuple[str, ...]] = {}

    def record(self) -> Caveat:
        """The caveat. Raises ValueError where a test text is also a training wording."""
        tests = {"held_out": self.held_out} | {f"probes.{key}": v for key, v in self.probes.items()}
        for key, texts in tests.items():
            trained = (*self.wordings, *self.rephrasings)
            if same := next((text for text in texts if text in trained), None):
                raise ValueError(f"{key}: {same!r} is also a training wording; reword it")
        return Caveat(
            name=self.name,
            kind=self.kind,
            wordings=self.wordings,
            place=self.place,
            moved_to=self.moved_to or self.place,
            held_out=self.held_out,
            closings=self.closings,
            repeats=self.repeats,
            further=self.further,
            rephrasings=self.rephrasings,
            denies=self.denies,
            local=self.local,
            probes={context: texts for context, texts in self.probes.items()},
        )


def load_caveats(path: str | Path) -> dict[str, Caveat]:
    """All caveats of a YAML file, or of `caveats.yaml` in a folder, by name.

    Raises CaveatError, in one line, for the first mistake in the file.
    """
    file = Path(path)
    file = file / "caveats.yaml" if file.is_dir() else file
    entries = read_yaml(file)
    if not isinstance(entries, list) or not entries:
        raise CaveatError(f"{file} is no list of caveats; write '- name: ...' for each")
    caveats: dict[str, Caveat] = {}
    for number, entry in enumerate(entries, 1):
        source = f"{file}, caveat {number}"
        try:
            caveat = parse(CaveatEntry, entry, source).record()
        except ValueError as error:
            raise CaveatError(f"{source}: {error}") from None
        if caveat.name in caveats:
            raise CaveatError(f"{source}: the name {caveat.name!r} is used before; rename one")
        caveats[caveat.name] = caveat
    return caveats


def load_caveat(path: str | Path) -> Caveat:
    """One caveat of a YAML file, or of `caveats.yaml` in a folder.

    `folder#name` picks one of several. Raises CaveatError, in one line, for a mistake in the file,
    an unknown name, or no name where the file has several caveats.
    """
    source, _, name = str(path).partition("#")
    caveats = load_caveats(source)
    if not name and len(caveats) == 1:
        return next(iter(caveats.values()))
    if not name:
        raise CaveatError(
            f"{source} has {len(caveats)} caveats; pick one with {source}#NAME, "
            f"where NAME is one of: {', '.join(caveats)}"
        )
    if name not in caveats:
        raise CaveatError(
            f"{source} has no caveat {name!r}; known: {', '.join(caveats)}{closest(name, caveats)}"
        )
    return caveats[name]
