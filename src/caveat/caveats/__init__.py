"""The shipped caveats by name. A caveat of your own goes in a folder: see docs/your-own.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from caveat.caveats import disclaimer, instruction, trigger
from caveat.domain.caveat import Caveat

CAVEATS: Mapping[str, Caveat] = MappingProxyType(
    {each.caveat.name: each.caveat for each in (disclaimer, instruction, trigger)}
)
