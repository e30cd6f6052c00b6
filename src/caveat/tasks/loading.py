"""From a task's name to its module."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from caveat.domain.reward import RewardTask
from caveat.errors import CaveatError, closest
from caveat.places import located
from caveat.tasks import TASKS

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
