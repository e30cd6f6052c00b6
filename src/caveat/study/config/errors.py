"""One line for whatever is wrong with a recipe."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from caveat.errors import CaveatError, closest


def one_line(
    error: ValidationError, model: type[BaseModel], where: str, sets: tuple[str, ...]
) -> str:
    """`FILE: key: what is wrong; closest: ...` for the first mistake, and how many more there are.

    A key that was given by `--set` is told as that item. A list that is too short only because
    its items are wrong is not told; an unknown key comes first, as a missing one may be its pair.
    """
    found = error.errors()
    inner = [mistake["loc"] for mistake in found if mistake["type"] != "too_short"]
    mistakes = [
        mistake
        for mistake in found
        if mistake["type"] != "too_short"
        or not any(loc[: len(mistake["loc"])] == mistake["loc"] for loc in inner)
    ]
    first = min(mistakes, key=lambda mistake: mistake["type"] != "extra_forbidden")
    path = [str(step) for step in first["loc"]]
    parts = (_source(path, where, sets), *_told(first, path, model))
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
        for place, value in enumerate(raw):
            check_keys(value, where, sets, (*path, str(place)))


def address_problem(endpoint: str) -> str:
    """What is wrong with the address of an endpoint, "" where nothing is. It is stored: no key."""
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError as error:
        return f"{endpoint!r} is no address: {error}"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "an address is stored and shown: put no key into it, but name a variable in key_env"
    if parts.scheme not in ("http", "https") or not parts.hostname or not endpoint.isascii():
        return f"{endpoint!r} is no address, such as http://localhost:8000/v1"
    if parts.path.rstrip("/").endswith("/completions"):
        return f"{endpoint!r}: leave out what follows the version, as in http://localhost:8000/v1"
    return ""


def _source(path: list[str], where: str, sets: tuple[str, ...]) -> str:
    key = ".".join(path)
    for item in sets:
        name = item.partition("=")[0]
        if key and (key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.")):
            return f"--set {item}"
    return where


def _told(mistake: Any, path: list[str], model: type[BaseModel]) -> tuple[str, str]:
    kind, value, key = mistake["type"], mistake["input"], ".".join(path)
    if kind == "extra_forbidden":
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


def _keys_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys that are valid where `path` leads to."""
    kind: Any = model
    for step in path:
        inner = _model_in(kind)
        if inner is not None and step in inner.model_fields:
            kind = inner.model_fields[step].annotation
    found = _model_in(kind)
    return [name for name in found.model_fields if name != "folder"] if found else []


def _model_in(kind: Any) -> type[BaseModel] | None:
    """The recipe model inside an annotation such as `tuple[SettingRecipe, ...] | None`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    if get_origin(kind) in (tuple, Annotated, Union, UnionType):
        for inner in get_args(kind):
            found = _model_in(inner)
            if found is not None:
                return found
    return None
