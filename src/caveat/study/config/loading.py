"""Reading recipe files and `--set a.b=c` overrides into plain mappings."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from caveat.errors import CaveatError, closest
from caveat.files.reading import load_yaml, user_path


def shipped_folder() -> Path:
    """Where the shipped recipes lie: in the installed package, or at the repository's root."""
    packaged = Path(str(resources.files("caveat"))) / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "recipes"


def shipped(source: str | Path) -> Path:
    """The recipe file meant: a path, or the bare name of a shipped recipe.

    Raises CaveatError where there is neither.
    """
    path, folder = user_path(source), shipped_folder()
    if path.is_file():
        return path
    named = folder / f"{source}.yaml"
    if path.name == str(source) and named.is_file():
        return named
    names = sorted(file.stem for file in folder.glob("*.yaml"))
    near = [str(file) for file in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
    raise CaveatError(
        f"{source}: no such recipe file, and no shipped recipe "
        f"(shipped: {', '.join(names)}){closest(source, near + names)}"
    )


def parsed(path: Path) -> Any:
    """The YAML of a file. Raises CaveatError for YAML that is none."""
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CaveatError(f"{path}: cannot be read ({error.strerror}); fix that") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise CaveatError(f"{path}: {line}{error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:  # also text that is no UTF-8, and no date
        raise CaveatError(f"{path}: not YAML: {' '.join(str(error).split())}") from None


def override(raw: dict[str, Any], sets: tuple[str, ...]) -> dict[str, Any]:
    """A copy of a recipe's mapping with `a.b=c` items put in; whole numbers index lists.

    `*` stands for every index, as in `settings.*.dose.epochs=2`.

    Raises CaveatError for an item that cannot be placed.
    """
    raw = copy.deepcopy(raw)
    if isinstance(raw.get("model"), str):
        raw["model"] = {"name": raw["model"]}
    for item in sets:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise CaveatError(f"--set {item}: write it as key=value, such as seeds=[1,2]")
        try:
            read = load_yaml(value)
        except (yaml.YAMLError, ValueError):  # the latter for a date that is none
            raise CaveatError(f"--set {item}: {value!r} is not a YAML value") from None
        if key == "model" and isinstance(read, str):
            raw["model"] = {**(raw.get("model") or {}), "name": read}
            raw["model"].pop("gguf", None)  # a file of the model that is replaced
        else:
            for path in _paths(raw, key.split(".")):
                _put(raw, path, copy.deepcopy(read), item)
    return raw


def _paths(target: Any, path: list[str]) -> Iterator[list[str]]:
    """The path with each `*` that stands where a list is replaced by every index of that list."""
    for step, name in enumerate(path):
        if isinstance(target, list) and target and name == "*":
            for index, entry in enumerate(target):
                for rest in _paths(entry, path[step + 1 :]):
                    yield [*path[:step], str(index), *rest]
            return
        if isinstance(target, list) and name.isdigit() and int(name) < len(target):
            target = target[int(name)]
        else:
            target = target.get(name) if isinstance(target, dict) else None
    yield path


def _put(target: Any, path: list[str], value: Any, item: str) -> None:
    """Walk to the position named by `path` and put the value there."""
    for step, name in enumerate(path):
        last = step == len(path) - 1
        key: str | int = name
        if isinstance(target, list):
            if not name.isdigit() or int(name) >= len(target):
                raise CaveatError(
                    f"--set {item}: {'.'.join(path[:step])} is a list of {len(target)}, "
                    f"{name!r} is no index of it (the first is 0)"
                )
            key = int(name)
        elif not isinstance(target, dict):
            raise CaveatError(f"--set {item}: {'.'.join(path[:step])} has no keys")
        if last:
            target[key] = value
            return
        if isinstance(target, dict) and target.get(name) is None:
            target[name] = {}
        target = target[key]
