"""The error class for users' mistakes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class CaveatError(Exception):
    """A user's mistake, in one line: the value, where it came from, and the fix.

    The CLI prints the line on standard error and exits with 1. Mistakes of this library, and of
    extensions written by users, stay plain Python exceptions with their traceback.
    """


def check_names(option: str, names: object, choices: Sequence[str]) -> None:
    """Raise CaveatError where the value of an option is no list of some of the choices."""
    if not isinstance(names, list | tuple):
        raise CaveatError(f"{option}: {names!r}: a list of {', '.join(choices)}")
    for name in names:
        if name not in choices:
            raise CaveatError(
                f"{option}: {name!r} is not one of {', '.join(choices)}{closest(name, choices)}"
            )


def closest(value: object, choices: Iterable[object]) -> str:
    """End of an error's line: `; closest: 'x'` for the most similar choice, or an empty string."""
    names = [str(choice) for choice in choices]
    lowered = {name.lower(): name for name in reversed(names)}
    matches = difflib.get_close_matches(str(value).lower(), list(lowered), n=1, cutoff=0.5)
    return f"; closest: {lowered[matches[0]]!r}" if matches else ""
