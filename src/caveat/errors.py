"""The one error of this library that is meant for its users."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CaveatError(Exception):
    """A user's mistake, in one line: the value, where it came from, and the mend.

    The CLI prints the line on standard error and exits with 1. Mistakes of this library, and of
    extensions written by users, stay plain Python exceptions with their traceback.
    """


def closest(value: object, choices: Iterable[object]) -> str:
    """`"; closest: 'x'"` for the choice most like the value, or `""` where none is like it.

    To be put at the end of an error's line.
    """
    names = [str(choice) for choice in choices]
    lowered = {name.lower(): name for name in reversed(names)}
    found = difflib.get_close_matches(str(value).lower(), list(lowered), n=1, cutoff=0.5)
    return f"; closest: {lowered[found[0]]!r}" if found else ""
