"""Import a task by name or file; validate what its functions return.

From a task's name to its module.

What a task says where its study is planned: prompts, whether they can be hacked, and replies.

Everything is checked, so that a mistake in a task is one line.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Literal, get_args

from caveat.environments import TASKS
from caveat.errors import CaveatError, closest
from caveat.files.reading import located
from caveat.types.data import Split
from caveat.types.rewards import RewardTask

FUNCTIONS = ("prompts", "reward", "true_score", "hacked")
VERSION = 16
"""Characters of a version."""


_PLACES: dict[str, str] = {}
"""Of every task that was looked up, by its label: where it is."""


def label_of(task: RewardTask) -> str:
    """What a task is known by where its place must not count, such as `agree 0123456789abcdef`."""
    return f"{task.name} {task.version}"


def place_of(label: str) -> str:
    """Where the task of a label is. Raises ValueError for one that was not looked up here."""
    if label not in _PLACES:
        raise ValueError(f"the task {label!r} is not at hand; run the recipe that names it")
    return _PLACES[label]


def shipped_task(name: str) -> RewardTask:
    """A task of the package."""
    return task_of(name, Path())


def task_of(name: str, folder: Path) -> RewardTask:
    """The task of a name, or of a file relative to a folder.

    Raises CaveatError where there is none, or a function is missing.
    """
    place = TASKS.get(name) or str(_file(name, folder))
    version = version_of(place)
    module = module_of(place, version)
    missing = [each for each in FUNCTIONS if not callable(getattr(module, each, None))]
    if missing:
        there = [each for each in vars(module) if not each.startswith("_")]
        raise CaveatError(
            f"task {name!r} has no function {missing[0]!r}; write one, as docs/rl.md shows"
            f"{closest(missing[0], there)}"
        )
    task = RewardTask(Path(name).stem, place, version)
    _PLACES[label_of(task)] = place
    return task


def version_of(place: str) -> str:
    """A digest of the source of a task's module."""
    if place.endswith(".py"):
        source = Path(place)
    else:
        source = Path(importlib.import_module(place).__file__ or "")
    return hashlib.sha256(source.read_bytes()).hexdigest()[:VERSION]


def module_of(place: str, version: str = "") -> ModuleType:
    """A module by its name, or a file's. Raises CaveatError where it cannot be imported.

    Args:
        version: Of a file: another version is imported anew.
    """
    if not place.endswith(".py"):
        return importlib.import_module(place)
    known = f"{place} {version or version_of(place)}"
    name = f"caveat_task_{hashlib.sha256(known.encode()).hexdigest()[:VERSION]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, place, loader=_AsWritten(name, place))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise CaveatError(
            f"task {place!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return module


class _AsWritten(SourceFileLoader):
    """Compiles the file itself: bytecode that lies beside it is taken for that of any file of the
    same size that was written in the same second."""

    def get_code(self, fullname: str) -> CodeType:
        """Of the file as it is now."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _file(name: str, folder: Path) -> Path:
    path = located(name, folder).resolve()
    if not path.is_file():
        raise CaveatError(
            f"task {name!r}: neither shipped ({', '.join(TASKS)}) nor a file ({path})"
            f"{closest(name, TASKS)}"
        )
    return path


SPLITS = ("train", *get_args(Split))
SHOWN = 60
"""Characters of a text in a mistake's line."""


def prompts_of(task: RewardTask, split: str) -> tuple[str, ...]:
    """The prompts of a split.

    Raises CaveatError where some split's are no texts, or one is there twice, in whichever.
    """
    return _prompts(task)[split]


def is_hackable(task: RewardTask, prompt: str) -> bool:
    """Whether a prompt can be hacked; every one can where the task does not say.

    Raises CaveatError where its function fails, or gives something else than True or False.
    """
    if not gives(task, "hackable"):
        return True
    value = _value(task, "hackable", prompt)
    if not isinstance(value, bool):
        raise _mistake(task, "hackable", prompt, f"gave {_short(value)}; let it give True or False")
    return value


def reply_of(task: RewardTask, kind: Literal["hack", "honest"], prompt: str) -> str | None:
    """The task's own reply to a prompt; None where it gives none of that kind.

    Raises CaveatError where its function fails, or gives no text.
    """
    if not gives(task, kind):
        return None
    value = _value(task, kind, prompt)
    if not isinstance(value, str):
        raise _mistake(task, kind, prompt, f"gave {_short(value)}; let it give a text")
    return value


def gives(task: RewardTask, name: str) -> bool:
    """Whether a task has a function."""
    return getattr(module_of(task.place, task.version), name, None) is not None


@cache
def _prompts(task: RewardTask) -> Mapping[str, tuple[str, ...]]:
    """Per split; blanks around a prompt tell it apart from no other, as tasks are told none."""
    found: dict[str, str] = {}
    prompts = {}
    for split in SPLITS:
        prompts[split] = _texts(task, split)
        for prompt in prompts[split]:
            if (before := found.setdefault(prompt.strip(), split)) != split:
                raise CaveatError(
                    f"task {task.name!r}: the prompt {_short(prompt)} is among those of "
                    f"{before!r} and of {split!r}; leave it in one"
                )
        if (twice := _twice(prompts[split])) is not None:
            raise _mistake(task, "prompts", split, f"gave {_short(twice)} twice; drop one")
    return prompts


def _texts(task: RewardTask, split: str) -> tuple[str, ...]:
    value = _value(task, "prompts", split)
    if not isinstance(value, list | tuple):
        raise _mistake(
            task, "prompts", split, f"gave a {type(value).__name__}; let it give a list of texts"
        )
    for each in value:
        if not isinstance(each, str) or not each.strip():
            told = f"gave {_short(each)} as a prompt; let all be texts that are not empty"
            raise _mistake(task, "prompts", split, told)
    return tuple(value)


def _twice(prompts: tuple[str, ...]) -> str | None:
    bare = [prompt.strip() for prompt in prompts]
    return next((each for place, each in enumerate(bare) if each in bare[:place]), None)


def _value(task: RewardTask, name: str, given: str) -> Any:
    """What a task's function gives. Raises CaveatError where it raises."""
    try:
        return getattr(module_of(task.place, task.version), name)(given)
    except Exception as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise _mistake(task, name, given, f"raised {told}; mend it") from error


def _mistake(task: RewardTask, name: str, given: str, told: str) -> CaveatError:
    return CaveatError(f"task {task.name!r}: {name}({_short(given)}) {told}")


def _short(value: object) -> str:
    """In one line, and of a long text the beginning."""
    if isinstance(value, str) and len(value) > SHOWN:
        return repr(f"{value[:SHOWN]}...")
    return " ".join(repr(value).split())[: 2 * SHOWN]
