"""The readouts by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from caveat.readouts import (
    belief,
    belief_judge,
    belief_likelihood,
    capitals,
    exclaiming,
    hacked,
    is_a,
    listed,
    log_likelihood,
    lower_case,
    matches,
    opener,
    paid,
    said,
    spanish,
    true_score,
    yes_no,
)
from caveat.readouts.readout import Readout

_modules = (
    capitals,
    spanish,
    lower_case,
    listed,
    exclaiming,
    opener,
    said,
    is_a,
    log_likelihood,
    matches,
    yes_no,
    belief,
    belief_likelihood,
    belief_judge,
    hacked,
    true_score,
    paid,
)

READOUTS: Mapping[str, Readout] = MappingProxyType(
    {module.readout.name: module.readout for module in _modules}
)
