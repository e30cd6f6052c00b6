"""Caveat: measure, explain and reduce the learning-past of caveats in training text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from caveat.study.run import run
    from caveat.study.study import Study


__all__ = ["CaveatError", "Study", "run"]


def __getattr__(name: str) -> Any:
    """Load `run` and `Study` when they are wanted: `caveat --help` must not wait for pandas."""
    if name == "run":
        from caveat.study.run import run

        return run
    if name == "Study":
        from caveat.study.study import Study

        return Study
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
