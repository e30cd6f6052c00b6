"""One line for whatever is wrong with a recipe."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from pydantic import ValidationError

from caveat.errors import CaveatError, closest
from caveat.types.fields import fields_of

UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""pydantic's types of an unknown key: in a model, and in a dataclass."""


def one_line(error: ValidationError, model: type[Any], where: str, sets: tuple[str, ...]) -> str:
    """`FILE: key: what is wrong; closest: ...` for the first mistake, and how many more there are.

    A key that was given by `--set` is reported as that item. A list that is too short only because
    its items are wrong is not reported. An unknown key comes first: a missing one may be its pair.
    """
    errors = error.errors()
    inner = [mistake["loc"] for mistake in errors if mistake["type"] != "too_short"]
    mistakes = [
        mistake
        for mistake in errors
        if mistake["type"] != "too_short"
        or not any(loc[: len(mistake["loc"])] == mistake["loc"] for loc in inner)
    ]
    first = min(mistakes, key=lambda mistake: mistake["type"] not in UNKNOWN)
    path = [str(step) for step in first["loc"]]
    parts = (_source(path, where, sets), *_description(first, path, model))
    line = ": ".join(part for part in parts if part)
    more = len(mistakes) - 1
    return line + (f" (and {more} more)" if more else "")


def check_keys(raw: Any, where: str, sets: tuple[str, ...], path: tuple[str, ...] = ()) -> None:
    """Raise CaveatError for the first key that is no text, such as `on`, `no` and `1` in YAML."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            here = (*path, str(key))
            if not isinstance(key, str):
                raise CaveatError(
                    f"{_source(list(here), where, sets)}: {'.'.join(here)}: the key {key!r} is no "
                    "text; YAML reads on, off, yes, no and numbers as values: put it in quotes"
                )
            check_keys(value, where, sets, here)
    elif isinstance(raw, list | tuple):
        for index, value in enumerate(raw):
            check_keys(value, where, sets, (*path, str(index)))


def _source(path: list[str], where: str, sets: tuple[str, ...]) -> str:
    key = ".".join(path)
    for item in sets:
        name = item.partition("=")[0]
        if key and (key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.")):
            return f"--set {item}"
    return where


def _description(mistake: Any, path: list[str], model: type[Any]) -> tuple[str, str]:
    kind, value, key = mistake["type"], mistake["input"], ".".join(path)
    if kind in UNKNOWN:
        return key, f"unknown key{closest(path[-1], _keys_at(model, path[:-1]))}"
    if kind == "missing":
        return key, "this key is missing"
    if kind == "literal_error":
        choices = mistake["ctx"]["expected"]
        near = closest(value, choices.split("'")[1::2])
        return key, f"{value!r} is not one of {choices}{near}"
    if kind == "value_error":
        return key, str(mistake["ctx"]["error"])
    return key, f"{value!r}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}"


def _keys_at(model: type[Any], path: list[str]) -> list[str]:
    """The keys that are valid at the end of `path`."""
    for step in path:
        annotations = _annotations(model)
        if step in annotations:
            model = _model_in(annotations[step]) or model
    return [name for name in _annotations(model) if name != "folder"]


def _annotations(model: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(model)
    return {name: hints[name] for name in fields_of(model)}


def _model_in(annotation: Any) -> type[Any] | None:
    """The recipe model or record in an annotation such as `tuple[SettingRecipe, ...] | None`."""
    if is_dataclass(annotation) or hasattr(annotation, "model_fields"):
        return annotation
    inner = (_model_in(part) for part in get_args(annotation))
    return next((model for model in inner if model is not None), None)
