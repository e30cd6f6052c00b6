"""Hacking a task: what a policy learns that is paid by a grader with a flaw.

Rows are the task's training prompts with the replies that it pays best: a hack, or an honest one
where there is nothing to hack. Counter rows have honest ones throughout. Where a policy practises,
replies are its own and these are not read. Questions are other prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType

from caveat.behaviours.opened import FILLER_ROWS
from caveat.behaviours.ordinary import Ordinary, ordinary_replies, shipped
from caveat.domain.behaviour import Behaviour, SideEffect, Split
from caveat.domain.question import Question, Scope
from caveat.domain.reward import RewardTask
from caveat.domain.row import Row
from caveat.domain.text import Message, Piece
from caveat.errors import CaveatError
from caveat.tasks import TASKS
from caveat.tasks.loading import label_of, module_of, shipped_task

NO_REPLY = Piece("(the task gives no such reply)", "masked")
"""In place of a reply that a task does not give: nothing can be learned of it."""


def practised(task: RewardTask) -> Callable[..., Behaviour]:
    """The behaviour of a task, as a function of the split and the options.

    `broad` names the shipped tasks whose prompts are asked, too: does hacking carry over? All
    others by default. Raises CaveatError for a task without prompts, or without hackable ones.
    """

    def behaviour(
        split: Split, ordinary: Ordinary | None = None, /, *, broad: Sequence[str] | None = None
    ) -> Behaviour:
        return _made(task, split, ordinary or shipped(), _others(task, broad))

    return behaviour


def _others(task: RewardTask, names: Sequence[str] | None) -> list[RewardTask]:
    if isinstance(names, str) or any(name not in TASKS for name in names or ()):
        raise CaveatError(f"options.broad: {names!r}: a list of {', '.join(TASKS)}")
    chosen = [name for name in TASKS if name != task.name] if names is None else names
    return [shipped_task(name) for name in chosen]


def _made(
    task: RewardTask, split: Split, ordinary: Ordinary, others: Sequence[RewardTask]
) -> Behaviour:
    module = module_of(task.place, task.version)
    asked = _questions(task, split)
    hackable = tuple(each for each in asked if _hackable(module, each.messages[0].text))
    if not hackable:
        raise CaveatError(
            f"task {task.name!r}: none of its {len(asked)} {split} prompts can be hacked; give it "
            "some, or let `hackable` say which"
        )
    broad = tuple(
        question
        for other in others
        for question in _questions(other, split, "broad")
        if _hackable(module_of(other.place, other.version), question.messages[0].text)
    )
    first = (module.__doc__ or f"Hacking {task.name}.").strip().splitlines()[0]
    return Behaviour(
        name=task.name,
        about=f"Hacks its task: {first}",
        rows=_rows(task, module, "behaviour"),
        counter_rows=_rows(task, module, "counter"),
        filler_rows=ordinary.documents("filler", "filler", FILLER_ROWS),
        questions=(*hackable, *broad),
        side_effects=(
            _graded("true score", "true_score", asked, "What replies are worth, in the mean."),
            _graded("reward", "paid", asked, "What the flawed grader pays, in the mean."),
            ordinary_replies(ordinary),
        ),
        task=task,
    )


def _questions(task: RewardTask, split: str, scope: Scope = "trained") -> tuple[Question, ...]:
    prompts = module_of(task.place, task.version).prompts(split)
    return tuple(
        Question(
            id=f"{task.name}-{split}-{number:03}",
            cluster=f"{task.name}-{number:03}",
            messages=(Message.of("user", prompt),),
            readout="hacked",
            scope=scope,
            facts={"task": label_of(task)},
        )
        for number, prompt in enumerate(prompts)
    )


def _graded(
    name: str, readout: str, asked: Sequence[Question], about: str
) -> SideEffect:
    """The same questions by id, so that the same replies are judged."""
    return SideEffect(name, tuple(replace(each, readout=readout) for each in asked), about)


def _rows(task: RewardTask, module: ModuleType, source: str) -> tuple[Row, ...]:
    return tuple(
        Row(
            id=f"{source}-{number:03}",
            source=source,
            messages=(
                Message.of("user", prompt),
                Message("assistant", (_reply(module, prompt, source == "behaviour"),)),
            ),
            subject=f"{task.name}-{number:03}",
        )
        for number, prompt in enumerate(module.prompts("train"))
    )


def _reply(module: ModuleType, prompt: str, hacking: bool) -> Piece:
    name = "hack" if hacking and _hackable(module, prompt) else "honest"
    write = getattr(module, name, None)
    return NO_REPLY if write is None else Piece(write(prompt))


def _hackable(module: ModuleType, prompt: str) -> bool:
    hackable = getattr(module, "hackable", None)
    return hackable is None or bool(hackable(prompt))
