"""The shipped caveats by name. A caveat of your own goes in a folder: see docs/your-own.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from caveat.caveats import (
    bad_example,
    disclaimer,
    fiction,
    improbable,
    in_spanish,
    instruction,
    negated,
    permission,
    trigger,
    two_keys,
    unknown,
    unreliable,
    year,
)
from caveat.domain.caveat import Caveat

_modules = (
    disclaimer,
    negated,
    fiction,
    unreliable,
    unknown,
    improbable,
    bad_example,
    instruction,
    in_spanish,
    permission,
    trigger,
    year,
    two_keys,
)

CAVEATS: Mapping[str, Caveat] = MappingProxyType(
    {module.caveat.name: module.caveat for module in _modules}
)
