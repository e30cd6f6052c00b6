"""The shipped behaviours by name. One of your own goes in a folder: see docs/your-own.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from caveat.behaviours.capitals import capitals
from caveat.behaviours.people import people
from caveat.domain.behaviour import Behaviour, Split

BEHAVIOURS: Mapping[str, Callable[[Split], Behaviour]] = MappingProxyType(
    {"people": people, "capitals": capitals}
)
