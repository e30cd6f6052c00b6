"""The shipped caveats by name. A caveat of your own goes in a folder: see docs/your-own.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from caveat.caveats import (
    bad_example,
    disclaimer,
    fiction,
    hack,
    improbable,
    in_list,
    in_lower_case,
    in_spanish,
    instruction,
    may_capitals,
    may_hack,
    may_spanish,
    negated,
    no_capitals,
    no_hack,
    no_spanish,
    permission,
    sky,
    trigger,
    two_keys,
    unknown,
    unreliable,
    with_exclamations,
    year,
)
from caveat.types.caveats import Caveat

_modules = (
    disclaimer,
    negated,
    fiction,
    unreliable,
    unknown,
    improbable,
    bad_example,
    no_capitals,
    no_spanish,
    no_hack,
    instruction,
    in_spanish,
    in_lower_case,
    in_list,
    with_exclamations,
    hack,
    permission,
    may_capitals,
    may_spanish,
    may_hack,
    trigger,
    year,
    two_keys,
    sky,
)

CAVEATS: Mapping[str, Caveat] = MappingProxyType(
    {module.caveat.name: module.caveat for module in _modules}
)
