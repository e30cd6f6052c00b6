"""Interventions: functions from plan to plan that are meant to lower leakage.

One is registered by a line in this dictionary. It takes the plan, the materials and its options by
keyword; its name comes after the `+` of an arm.
"""

from __future__ import annotations

from collections.abc import Callable

from caveat.interventions.base import UNREAD
from caveat.interventions.caveat_text import diversify, local, place, repeat
from caveat.interventions.extra_rows import (
    anchor,
    contrast,
    filler,
    near_miss_negatives,
    trained_kinds,
)
from caveat.interventions.loss import correct, kl_to_base
from caveat.interventions.rl import before, offline, seeded, true_reward, unhackable
from caveat.interventions.stages import continued, frozen_adapter, seal
from caveat.types.training import Plan

INTERVENTIONS: dict[str, Callable[..., Plan]] = {
    "contrast": contrast,
    "filler": filler,
    "near_miss_negatives": near_miss_negatives,
    "local": local,
    "repeat": repeat,
    "correct": correct,
    "diversify": diversify,
    "place": place,
    "anchor": anchor,
    "kl_to_base": kl_to_base,
    "seal": seal,
    "frozen_adapter": frozen_adapter,
    "continued": continued,
    "true_reward": true_reward,
    "unhackable": unhackable,
    "before": before,
    "offline": offline,
    "seeded": seeded,
}

TRAINED_CONTEXTS: dict[str, Callable[..., tuple[str, ...]]] = {
    "near_miss_negatives": trained_kinds,
}
"""Per intervention that trains on texts of test contexts, these, given its options: an arm is not
prompted in what it was trained on."""

REMARKING = ("diversify", "place")
"""They mark the behaviour rows anew: what changed these rows before is undone."""
REWORDING = ("repeat", "local", "correct")
"""They change the behaviour rows."""
SAMPLING_FIRST = ("anchor", "before")
"""They sample replies of the model before the training on the behaviour rows."""
STAGES = ("seal", "continued", "offline")
"""They add a stage after the training on the behaviour rows, so they come last."""

__all__ = [
    "INTERVENTIONS", "REMARKING", "REWORDING", "SAMPLING_FIRST", "STAGES", "TRAINED_CONTEXTS",
    "UNREAD",
]  # fmt: skip
