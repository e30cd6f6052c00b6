"""What tells a practice from others of the same setting: in tables and pictures alike."""

from __future__ import annotations

import json
from collections.abc import Iterable

FIELDS = ("practice.scaled", "practice.mean", "practice.kl", "learning_rate", "rows")


def told_apart(dose: str, others: Iterable[str]) -> tuple[str, ...]:
    """Such as ("scaled=False",), where doses of the same setting differ in that.

    Args:
        dose: JSON, as in a study's tables.
        others: Doses of its setting, itself among them or not.
    """
    mine, theirs = json.loads(dose), [json.loads(other) for other in set(others)]
    return tuple(
        f"{key.removeprefix('practice.')}={mine.get(key)}"
        for key in FIELDS
        if any(other.get(key) != mine.get(key) for other in theirs)
    )
