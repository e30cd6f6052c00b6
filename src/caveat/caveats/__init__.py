"""The shipped caveats by name, from data/*.yaml. One of your own: see docs/your-own.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from caveat.types.caveats import Caveat

DATA = Path(__file__).parent / "data"


class ShippedCaveats(Mapping[str, Caveat]):
    """The caveats of all files in data/, which are read when one is first looked up.

    To ship another, add an entry to the file of its family. Names are unique over all files.
    """

    @cached_property
    def _by_name(self) -> dict[str, Caveat]:
        from caveat.caveats.loading import load_caveats

        files = sorted(DATA.glob("*.yaml"))
        return {name: caveat for file in files for name, caveat in load_caveats(file).items()}

    def __getitem__(self, name: str) -> Caveat:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


CAVEATS: Mapping[str, Caveat] = ShippedCaveats()

__all__ = ["CAVEATS"]
