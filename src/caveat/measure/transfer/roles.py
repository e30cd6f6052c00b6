"""What an arm `marked+X` is in the transfer matrix, by its name alone."""

from __future__ import annotations

import re
from typing import Literal

MARKED = "marked+"
FILLER = "marked+filler"
Role = Literal["intervention", "control", "stability"]
"""intervention: a remedy that is tried. control: what shows what a remedy's form does without its
content. stability: an arm that goes on training after its intervention."""
CONTROL = re.compile(r"filler(\(.*\))?|frozen_adapter\(.*\bknows\s*=\s*random\b.*\)")
FURTHER = re.compile(r"continued(\(.*\))?")


def intervention_of(arm: str) -> str:
    """The X of `marked+X`."""
    return arm.removeprefix(MARKED)


def role(intervention: str) -> Role:
    """Only interventions are ranked: a control is no remedy, and an arm that goes on training is
    its intervention once more."""
    steps = intervention.split("+")
    if FURTHER.fullmatch(steps[-1]):
        return "stability"
    return "control" if all(CONTROL.fullmatch(step) for step in steps) else "intervention"


def before(arm: str) -> str | None:
    """The arm that a stability arm goes on from, None for all others."""
    ahead, _, last = arm.rpartition("+")
    return ahead if FURTHER.fullmatch(last) else None
