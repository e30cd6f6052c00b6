"""What a task says where its study is planned: prompts, whether they can be hacked, and replies.

Everything is checked, so that a mistake in a task is one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args

from caveat.domain.behaviour import Split
from caveat.domain.reward import RewardTask
from caveat.errors import CaveatError
from caveat.tasks.loading import module_of

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
