"""Parse user-written YAML/JSON/JSONL/paths; one-line errors.

Reading files that people wrote: every mistake is one line with file, line, value and mend.

JSON that may have been written, or spoiled, by anybody.

Paths that people name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from caveat.errors import CaveatError, closest

Model = TypeVar("Model", bound=BaseModel)
DEEPEST, MOST_PARTS = 50, 1_000_000
HALF = re.compile("[\ud800-\udfff]")
"""Half of a character of UTF-16."""


class NoDuplicates(yaml.SafeLoader):
    """YAML takes the last of two equal keys in silence; here that is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As usual. Raises MarkedYAMLError for a key that is there twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} is there twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def load_yaml(text: str) -> Any:
    """The content of YAML. Raises YAMLError, or ValueError for a value that is not what it says."""
    try:
        return whole(yaml.load(text, Loader=NoDuplicates))
    except (yaml.YAMLError, ValueError):
        raise
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # !!bool maybe, !!timestamp then: whatever the tag's reader raises
        raise ValueError(f"a value is not what its tag says ({type(error).__name__})") from None


def whole(content: Any) -> Any:
    """The content, where it can be worked with.

    Raises ValueError for half a character, which can be spelled but not written, and for what is
    endless: a YAML list may hold itself, or ten times another that holds ten times another.
    """
    left, parts = [(content, 0)], 0
    while left:
        part, depth = left.pop()
        parts += 1
        if depth > DEEPEST or parts > MOST_PARTS:
            raise ValueError("it is nested too deeply")
        if isinstance(part, str) and (half := HALF.search(part)):
            raise ValueError(f"{part[:40]!r} has half a character ({half[0]!r})")
        if isinstance(part, dict):
            left += [(each, depth + 1) for pair in part.items() for each in pair]
        elif isinstance(part, list):
            left += [(each, depth + 1) for each in part]
    return content


def read_text(path: Path) -> str:
    """The file's text. Raises CaveatError where it is missing, cannot be read, or is not UTF-8."""
    if not path.is_file():
        raise CaveatError(f"{path} is missing; add it (see docs/your-own.md)")
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CaveatError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise CaveatError(f"{path} cannot be read ({error.strerror}); mend that") from None


def read_lines(path: Path, model: type[Model]) -> Iterator[tuple[str, int, Model]]:
    """Where it stands, its number, and its content, for each line of a JSONL file.

    Raises CaveatError for the first line that is not the model's, and where there is no line.
    """
    empty = True
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            empty = False
            where = f"{path}, line {number}"
            yield where, number, parse(model, _json(line, where, model), where)
    if empty:
        raise CaveatError(f"{path} is empty; give it at least one line")


def _json(line: str, where: str, model: type[BaseModel]) -> Any:
    try:
        return whole(parsed(line))
    except json.JSONDecodeError as error:
        raise CaveatError(
            f"{where} is not JSON: {error.msg} at column {error.colno}; "
            f"write one object a line, with keys such as {_keys(model)}"
        ) from None
    except ValueError as error:  # half a character, a number without end
        raise CaveatError(f"{where} cannot be used: {error}; mend that line") from None


def read_yaml(path: Path) -> Any:
    """The file's content. Raises CaveatError where it is missing or not YAML."""
    try:
        return load_yaml(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise CaveatError(f"{where} is not YAML: {problem}; mend that line") from None
    except ValueError as error:  # what looks like a date and is none, such as 2021-13-45
        raise CaveatError(f"{path} has a value that cannot be used: {error}; mend it") from None


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
    wanted = re.sub(r"^\w+ should", "should", mistake["msg"]).replace("valid tuple", "list")
    return f"{key} is {mistake['input']!r}; it {wanted}"


def _nearest(mistake: Any) -> str:
    choices = [
        part.strip("' ") for part in mistake["ctx"]["expected"].replace(" or ", ", ").split(",")
    ]
    return closest(mistake["input"], choices)


def _keys(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)


def parsed(text: str | bytes) -> Any:
    """The content of JSON. Raises ValueError for all else, and for what is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def located(name: str | Path, folder: Path = Path()) -> Path:
    """Where a name leads, `~` being a home, from a folder on. It may hold nothing.

    Raises CaveatError where no path can be called that, or the system does not let one look.
    """
    try:
        path = folder / Path(name).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, RuntimeError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise CaveatError(f"{str(name)[:60]!r} cannot be looked for ({said}); mend it") from None
    return path
