"""How the fields of recipes are checked, and what each of them changes.

Records and recipe models declare a field once, such as `epochs: Identity[Count] = 1`. pydantic
checks the value when a recipe is read. The marker says whether the value enters digests. Nothing
here imports pydantic, since records are imported where a quick start counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, get_type_hints

from annotated_types import Ge, Gt, Le

T = TypeVar("T")
IDENTITY, RUN_TIME = "identity", "run-time"
Identity = Annotated[T, IDENTITY]
"""A field that changes what some cell, answer or verdict is: it enters their digests."""


@dataclass(frozen=True, slots=True)
class Late:
    """In an annotation: the field came after studies had been stored."""


LateIdentity = Annotated[T, IDENTITY, Late()]
"""The same for a field that came later: at its default it is left out, so that digests stay."""
RunTime = Annotated[T, RUN_TIME]
"""A field that changes how a study is run or shown, and no finished cell."""

Count = Annotated[int, Ge(1)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True, slots=True)
class Check:
    """In an annotation: what pydantic does with a value after it has read its type."""

    function: Callable[[Any], Any]
    """Gives the value back, or raises ValueError with what is wrong."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """pydantic's hook for metadata in `Annotated`."""
        from pydantic_core.core_schema import no_info_after_validator_function

        return no_info_after_validator_function(self.function, handler(source))


def fields_of(model: type[Any]) -> tuple[str, ...]:
    """The names of a record's or recipe model's fields, in order."""
    return tuple(model.__dataclass_fields__ if is_dataclass(model) else model.model_fields)


def parts_of(model: type[Any]) -> dict[str, str]:
    """Per field of a record or recipe model, `identity` or `run-time`; "" where it is unmarked."""
    hints = get_type_hints(model, include_extras=True)
    return {name: _marker(hints[name]) for name in fields_of(model)}


@cache
def late_defaults(model: type[Any]) -> Mapping[str, Any]:
    """Per field of a record or recipe model that came later, its default."""
    hints = get_type_hints(model, include_extras=True)
    declared = model.__dataclass_fields__ if is_dataclass(model) else model.model_fields
    return {
        name: declared[name].default
        for name in fields_of(model)
        if any(isinstance(part, Late) for part in getattr(hints[name], "__metadata__", ()))
    }


def without_late_defaults(model: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by field, without fields that came later and have their default."""
    late = late_defaults(model)
    return {
        name: value for name, value in values.items() if name not in late or value != late[name]
    }


def _marker(annotation: Any) -> str:
    markers = [part for part in getattr(annotation, "__metadata__", ()) if isinstance(part, str)]
    return markers[-1] if markers else ""
