"""Reading files that people wrote: every mistake is one line with file, line, value and mend."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from caveat.errors import CaveatError, closest

Model = TypeVar("Model", bound=BaseModel)


def read_text(path: Path) -> str:
    """The file's text. Raises CaveatError where it is missing or not UTF-8."""
    if not path.is_file():
        raise CaveatError(f"{path} is missing; add it (see docs/your-own.md)")
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CaveatError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8") from None


def read_lines(path: Path, model: type[Model]) -> Iterator[tuple[str, int, Model]]:
    """Where it stands, its number, and its content, for each line of a JSONL file.

    Raises CaveatError for the first line that is not the model's, and where there is no line.
    """
    empty = True
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            empty = False
            where = f"{path}, line {number}"
            yield where, number, parse(model, _json(line, where), where)
    if empty:
        raise CaveatError(f"{path} is empty; give it at least one line")


def _json(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise CaveatError(
            f"{where} is not JSON: {error.msg} at column {error.colno}; "
            'write one object a line, such as {"prompt": "...", "reply": "..."}'
        ) from None


def read_yaml(path: Path) -> Any:
    """The file's content. Raises CaveatError where it is missing or not YAML."""
    import yaml

    try:
        return yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise CaveatError(f"{where} is not YAML: {problem}; mend that line") from None


def parse(model: type[Model], content: Any, where: str) -> Model:
    """The content as the model. Raises CaveatError for the first thing that is wrong with it."""
    if not isinstance(content, dict):
        raise CaveatError(f"{where} is {content!r}, not an object; give it the keys {_keys(model)}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise CaveatError(f"{where}: {_first(error, model)}") from None


def _first(error: ValidationError, model: type[BaseModel]) -> str:
    """One line for one mistake. Unknown keys come first: they explain missing ones."""
    mistakes = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    mistake = mistakes[0]
    key = ".".join(str(part) for part in mistake["loc"] if part != "[key]")
    if mistake["type"] == "extra_forbidden":
        last = str(mistake["loc"][-1])
        known = list(model.model_fields) if len(mistake["loc"]) == 1 else ["role", "content"]
        return f"unknown key {key!r}; known: {', '.join(known)}{closest(last, known)}"
    if mistake["type"] == "missing":
        return f"the key {key!r} is missing; add it"
    if mistake["type"] == "literal_error":
        return (
            f"{key} is {mistake['input']!r}; known: {mistake['ctx']['expected']}{_nearest(mistake)}"
        )
    wanted = re.sub(r"^\w+ should", "should", mistake["msg"])
    return f"{key} is {mistake['input']!r}; it {wanted}"


def _nearest(mistake: Any) -> str:
    choices = [
        part.strip("' ") for part in mistake["ctx"]["expected"].replace(" or ", ", ").split(",")
    ]
    return closest(mistake["input"], choices)


def _keys(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)
