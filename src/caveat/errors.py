"""The error class for users' mistakes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CaveatError(Exception):
    """A user's mistake, in one line: the value, where it came from, and the fix.

    The CLI prints the line on standard error and exits with 1. Mistakes of this library, and of
    extensions written by users, stay plain Python exceptions with their traceback.
    """


def closest(value: object, choices: Iterable[object]) -> str:
    """End of an error's line: `; closest: 'x'` for the most similar choice, or an empty string."""
    names = [str(choice) for choice in choices]
    lowered = {name.lower(): name for name in reversed(names)}
    matches = difflib.get_close_matches(str(value).lower(), list(lowered), n=1, cutoff=0.5)
    return f"; closest: {lowered[matches[0]]!r}" if matches else ""
