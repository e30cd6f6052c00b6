"""Load a reward task by name or file, and check what its functions return.

Everything is checked, so that a mistake in a task is an error of one line.
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

from caveat.environments import CODE_TASKS, TASKS
from caveat.errors import CaveatError, closest
from caveat.files.reading import user_path
from caveat.types.data import Split
from caveat.types.rewards import RewardTask

FUNCTIONS = ("prompts", "reward", "true_score", "hacked")
"""Functions that every reward task must have."""
PROBLEMS = ".jsonl"
"""How the name of a file of programming problems ends."""
VERSION_LENGTH = 16
"""Characters of a version."""
_MODULES: dict[str, str] = {}
"""The module's name, or file's path, of each task that was loaded, by its label."""


def label_of(task: RewardTask) -> str:
    """A task's name and version, which do not depend on its path: `agree 0123456789abcdef`."""
    return f"{task.name} {task.version}"


def labelled_module(label: str) -> str:
    """The module's name, or file's path, of a task. Raises ValueError for one not loaded yet."""
    if label not in _MODULES:
        raise ValueError(f"the task {label!r} is not loaded; run the recipe that names it")
    return _MODULES[label]


def shipped_task(name: str) -> RewardTask:
    """A reward task of the package."""
    return task_of(name, Path())


def task_of(name: str, folder: Path) -> RewardTask:
    """Load the reward task of a shipped name, or of a file relative to a folder.

    Raises CaveatError where there is none, or a function is missing.
    """
    module_name = {**TASKS, **CODE_TASKS}.get(name) or str(_file(name, folder))
    version = version_of(module_name)
    module = module_of(module_name, version)
    missing = [function for function in FUNCTIONS if not callable(getattr(module, function, None))]
    if missing:
        names = [attribute for attribute in vars(module) if not attribute.startswith("_")]
        raise CaveatError(
            f"task {name!r} has no function {missing[0]!r}; write one, as docs/rl.md shows"
            f"{closest(missing[0], names)}"
        )
    task = RewardTask(Path(name).stem, module_name, version)
    _MODULES[label_of(task)] = module_name
    return task


def version_of(module_name: str) -> str:
    """A digest of the source of a task's module, by its name or its file's path."""
    further: tuple[Path, ...] = ()
    if module_name.endswith((".py", PROBLEMS)):
        source = Path(module_name)
    else:
        module = importlib.import_module(module_name)
        source, further = Path(module.__file__ or ""), getattr(module, "VERSIONED", ())
    if module_name.endswith(PROBLEMS):
        from caveat.environments.code_tasks.grading import source_files

        further = source_files()
    content = b"".join(path.read_bytes() for path in (source, *further))
    return hashlib.sha256(content).hexdigest()[:VERSION_LENGTH]


def module_of(module_name: str, version: str = "") -> ModuleType:
    """Import a module by its name, or a file by its path.

    Raises CaveatError where it cannot be imported.

    Args:
        version: A file's version: another version of the same file is another module.
    """
    if not module_name.endswith((".py", PROBLEMS)):
        return importlib.import_module(module_name)
    identity = f"{module_name} {version or version_of(module_name)}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:VERSION_LENGTH]
    name = f"caveat_task_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    if module_name.endswith(PROBLEMS):
        sys.modules[name] = _problems_module(name, Path(module_name))
        return sys.modules[name]
    loader = _SourceLoader(name, module_name)
    spec = importlib.util.spec_from_file_location(name, module_name, loader=loader)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise CaveatError(
            f"task {module_name!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return module


def _problems_module(name: str, file: Path) -> ModuleType:
    """A file of programming problems as a task's module."""
    from caveat.environments.code_tasks.grading import CodeTask
    from caveat.environments.code_tasks.problems import load_problems

    module = ModuleType(name, f"The programming problems of {file.name}.")
    task = CodeTask(load_problems(file))
    functions = (*FUNCTIONS, "hackable", "hack", "honest")
    vars(module).update({"TASK": task, **{key: getattr(task, key) for key in functions}})
    return module


class _SourceLoader(SourceFileLoader):
    """Always compiles the source: Python takes cached bytecode for that of any file of the same
    size that was written in the same second."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the file as it is now."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _file(name: str, folder: Path) -> Path:
    path = user_path(name, folder).resolve()
    if not path.is_file():
        raise CaveatError(
            f"task {name!r}: neither shipped ({', '.join((*TASKS, *CODE_TASKS))}) nor a file "
            f"({path}){closest(name, (*TASKS, *CODE_TASKS))}"
        )
    return path


SPLITS = ("train", *get_args(Split))
SHOWN = 60
"""Most characters of a text in an error's line."""


def prompts_of(task: RewardTask, split: str) -> tuple[str, ...]:
    """The prompts of a split.

    Raises CaveatError where a prompt is no text, or two prompts of any splits are equal.
    """
    return _prompts(task)[split]


def is_hackable(task: RewardTask, prompt: str) -> bool:
    """Whether a prompt can be hacked. Without a function `hackable` every prompt can.

    Raises CaveatError where that function raises, or gives something else than True or False.
    """
    if not gives(task, "hackable"):
        return True
    value = _value(task, "hackable", prompt)
    if not isinstance(value, bool):
        raise _mistake(task, "hackable", prompt, f"gave {_short(value)}; let it give True or False")
    return value


def reply_of(task: RewardTask, kind: Literal["hack", "honest"], prompt: str) -> str | None:
    """The task's own reply to a prompt; None where it has none of that kind.

    Raises CaveatError where its function raises, or gives no text.
    """
    if not gives(task, kind):
        return None
    value = _value(task, kind, prompt)
    if not isinstance(value, str):
        raise _mistake(task, kind, prompt, f"gave {_short(value)}; let it give a text")
    return value


def gives(task: RewardTask, name: str) -> bool:
    """Whether a task has the function."""
    return getattr(module_of(task.place, task.version), name, None) is not None


@cache
def _prompts(task: RewardTask) -> Mapping[str, tuple[str, ...]]:
    """The prompts by split. Two are equal if they are so without the whitespace around them, which
    graders do not get to see."""
    splits: dict[str, str] = {}
    prompts = {}
    for split in SPLITS:
        prompts[split] = _texts(task, split)
        for prompt in prompts[split]:
            if (earlier := splits.setdefault(prompt.strip(), split)) != split:
                raise CaveatError(
                    f"task {task.name!r}: the prompt {_short(prompt)} is among those of "
                    f"{earlier!r} and of {split!r}; leave it in one"
                )
        if (duplicate := _duplicate(prompts[split])) is not None:
            raise _mistake(task, "prompts", split, f"gave {_short(duplicate)} twice; drop one")
    return prompts


def _texts(task: RewardTask, split: str) -> tuple[str, ...]:
    value = _value(task, "prompts", split)
    if not isinstance(value, list | tuple):
        raise _mistake(
            task, "prompts", split, f"gave a {type(value).__name__}; let it give a list of texts"
        )
    for prompt in value:
        if not isinstance(prompt, str) or not prompt.strip():
            message = f"gave {_short(prompt)} as a prompt; let all be texts that are not empty"
            raise _mistake(task, "prompts", split, message)
    return tuple(value)


def _duplicate(prompts: tuple[str, ...]) -> str | None:
    """The first prompt that is equal to an earlier one."""
    texts = [prompt.strip() for prompt in prompts]
    return next((text for index, text in enumerate(texts) if text in texts[:index]), None)


def _value(task: RewardTask, name: str, argument: str) -> Any:
    """The value of a task's function. Raises CaveatError where it raises."""
    try:
        return getattr(module_of(task.place, task.version), name)(argument)
    except Exception as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise _mistake(task, name, argument, f"raised {message}; fix it") from error


def _mistake(task: RewardTask, name: str, argument: str, message: str) -> CaveatError:
    return CaveatError(f"task {task.name!r}: {name}({_short(argument)}) {message}")


def _short(value: object) -> str:
    """A value in one line, a long text cut."""
    if isinstance(value, str) and len(value) > SHOWN:
        return repr(f"{value[:SHOWN]}...")
    return " ".join(repr(value).split())[: 2 * SHOWN]
