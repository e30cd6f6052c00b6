"""Read files and paths that users wrote: YAML, JSON, JSONL.

Every mistake is one line with file, line number, value and fix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import yaml

from caveat.errors import CaveatError, closest

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


Model = TypeVar("Model", bound="BaseModel")
MAX_DEPTH, MAX_VALUES = 50, 1_000_000
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character of UTF-16: JSON can spell it, no file can hold it."""


class NoDuplicates(yaml.SafeLoader):
    """A YAML loader that refuses a key given twice; YAML itself takes the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the base class. Raises MarkedYAMLError for a key that is there twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} is there twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


class TextOnly(NoDuplicates):
    """A YAML loader whose values are all text: `yes`, `1` and `none` stay as they are written."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


def load_yaml(text: str, as_text: bool = False) -> Any:
    """Parse YAML. Raises YAMLError, or ValueError for a value that cannot be used.

    Args:
        as_text: Leave every value as it is written.
    """
    try:
        return checked(yaml.load(text, Loader=TextOnly if as_text else NoDuplicates))
    except (yaml.YAMLError, ValueError):
        raise
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # !!bool maybe, !!timestamp then: whatever the tag's reader raises
        raise ValueError(f"a value is not what its tag says ({type(error).__name__})") from None


def checked(content: Any) -> Any:
    """Return parsed content unchanged.

    Raises ValueError for a surrogate, and for content without end: a YAML list may contain itself,
    or ten references to a list of ten references. Later code would fail at these in many places.
    """
    pending, count = [(content, 0)], 0
    while pending:
        value, depth = pending.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise ValueError("it is nested too deeply")
        if isinstance(value, str) and (surrogate := SURROGATE.search(value)):
            raise ValueError(f"{value[:40]!r} has half a character ({surrogate[0]!r})")
        if isinstance(value, dict):
            pending += [(child, depth + 1) for item in value.items() for child in item]
        elif isinstance(value, list):
            pending += [(child, depth + 1) for child in value]
    return content


def read_text(path: Path) -> str:
    """Text of a file. Raises CaveatError where it is missing, cannot be read, or is not UTF-8."""
    if not path.is_file():
        raise CaveatError(f"{path} is missing; add it (see docs/your-own.md)")
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CaveatError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise CaveatError(f"{path} cannot be read ({error.strerror}); fix that") from None


def read_lines(path: Path, model: type[Model]) -> Iterator[tuple[str, int, Model]]:
    """For each line of a JSONL file: `FILE, line N`, the number, and the parsed record.

    Raises CaveatError for the first line that does not fit the model, and for an empty file.
    """
    empty = True
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            empty = False
            location = f"{path}, line {number}"
            yield location, number, parse(model, _json(line, location, model), location)
    if empty:
        raise CaveatError(f"{path} is empty; give it at least one line")


def _json(line: str, location: str, model: type[BaseModel]) -> Any:
    try:
        return checked(parse_json(line))
    except json.JSONDecodeError as error:
        raise CaveatError(
            f"{location} is not JSON: {error.msg} at column {error.colno}; "
            f"write one object a line, with keys such as {_keys(model)}"
        ) from None
    except ValueError as error:  # a surrogate, a number of thousands of digits
        raise CaveatError(f"{location} cannot be used: {error}; fix that line") from None


def read_yaml(path: Path, as_text: bool = False) -> Any:
    """Parsed content of a YAML file. Raises CaveatError where it is missing or not YAML."""
    try:
        return load_yaml(read_text(path), as_text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        location = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise CaveatError(f"{location} is not YAML: {problem}; fix that line") from None
    except ValueError as error:  # such as 2021-13-45, which YAML takes for a date
        raise CaveatError(f"{path} has a value that cannot be used: {error}; fix it") from None


def parse(model: type[Model], content: Any, location: str) -> Model:
    """Validate content as a pydantic model. Raises CaveatError for its first mistake."""
    from pydantic import ValidationError

    if not isinstance(content, dict):
        raise CaveatError(
            f"{location} is {content!r}, not an object; give it the keys {_keys(model)}"
        )
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise CaveatError(f"{location}: {_first(error, model)}") from None


def _first(error: ValidationError, model: type[BaseModel]) -> str:
    """One line about one mistake: an unknown key first, since it explains missing ones."""
    mistakes = sorted(error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden")
    mistake = mistakes[0]
    key = ".".join(str(part) for part in mistake["loc"] if part != "[key]")
    if mistake["type"] == "extra_forbidden":
        last = str(mistake["loc"][-1])
        fields = list(model.model_fields) if len(mistake["loc"]) == 1 else ["role", "content"]
        if hint := getattr(model, "hints", {}).get(last):
            return f"unknown key {key!r}; known: {', '.join(fields)}; {hint}"
        return f"unknown key {key!r}; known: {', '.join(fields)}{closest(last, fields)}"
    if mistake["type"] == "missing":
        return f"the key {key!r} is missing; add it"
    if mistake["type"] == "literal_error":
        return (
            f"{key} is {mistake['input']!r}; known: {mistake['ctx']['expected']}{_nearest(mistake)}"
        )
    expected = re.sub(r"^\w+ should", "should", mistake["msg"]).replace("valid tuple", "list")
    return f"{key} is {mistake['input']!r}; it {expected}"


def _nearest(mistake: Any) -> str:
    choices = [
        part.strip("' ") for part in mistake["ctx"]["expected"].replace(" or ", ", ").split(",")
    ]
    return closest(mistake["input"], choices)


def _keys(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)


def parse_json(text: str | bytes) -> Any:
    """Parse JSON. Raises ValueError for all else, and for what is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def user_path(name: str | Path, folder: Path = Path()) -> Path:
    """The path that a user named, `~` expanded, relative to a folder. Nothing need exist there.

    Raises CaveatError where the name cannot be a path, or the system refuses to look.
    """
    try:
        path = folder / Path(name).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CaveatError(f"{str(name)[:60]!r} is no usable path ({reason}); fix it") from None
    return path


def nearby(path: Path) -> str:
    """End of an error's line about a missing file: the most similar name in its folder."""
    try:
        names = sorted(file.name for file in path.parent.iterdir())
    except OSError:
        names = []
    return closest(path.name, names) or "; check the path"
