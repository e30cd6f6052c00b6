"""Caveat: measure, explain, predict and reduce how training ignores caveats in its text.

What `__all__` lists is the public API; everything else may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from caveat.errors import CaveatError

if TYPE_CHECKING:
    from caveat.backends.callbacks import Callback, StepEvent
    from caveat.study.run import run
    from caveat.study.study import Study
    from caveat.types.answers import Answer, Sampling, Verdict
    from caveat.types.caveats import Caveat, Setting
    from caveat.types.data import Behaviour, Question, Row, SideEffect
    from caveat.types.messages import Message, Piece
    from caveat.types.rewards import Grade, RewardTask
    from caveat.types.training import Dose, GRPOSettings, Plan, Train

__all__ = [
    "Answer", "Behaviour", "Callback", "Caveat", "CaveatError", "Dose", "GRPOSettings", "Grade",
    "Message", "Piece", "Plan", "Question", "RewardTask", "Row", "Sampling", "Setting",
    "SideEffect", "StepEvent", "Study", "Train", "Verdict", "run",
]  # fmt: skip

_MODULES = {
    "caveat.backends.callbacks": ("Callback", "StepEvent"),
    "caveat.study.run": ("run",),
    "caveat.study.study": ("Study",),
    "caveat.types.answers": ("Answer", "Sampling", "Verdict"),
    "caveat.types.caveats": ("Caveat", "Setting"),
    "caveat.types.data": ("Behaviour", "Question", "Row", "SideEffect"),
    "caveat.types.messages": ("Message", "Piece"),
    "caveat.types.rewards": ("Grade", "RewardTask"),
    "caveat.types.training": ("Dose", "GRPOSettings", "Plan", "Train"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name on first use: `caveat --help` must not wait for pandas and torch."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
