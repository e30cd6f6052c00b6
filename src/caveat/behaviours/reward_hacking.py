"""Hacking a task: what a policy learns whose reward has a flaw.

Rows are the task's training prompts with the replies of the highest reward: a hack, or an honest
one where there is nothing to hack. Counter rows have honest ones throughout. In RL training replies
are the policy's own and these are not used. Questions are other prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from caveat.behaviours.neutral_chats import Ordinary, ordinary_replies, shipped
from caveat.behaviours.reply_traits import FILLER_ROWS
from caveat.environments import TASKS
from caveat.environments.loading import (
    is_hackable,
    label_of,
    module_of,
    prompts_of,
    reply_of,
    shipped_task,
)
from caveat.errors import CaveatError
from caveat.types.data import Behaviour, Question, Row, Scope, SideEffect, Split
from caveat.types.messages import Message, Piece
from caveat.types.rewards import RewardTask

NO_REPLY = Piece("(the task gives no such reply)", "masked")
"""In place of a reply that a task does not give: nothing can be learned of it."""


def reward_hacking_behaviour(task: RewardTask) -> Callable[..., Behaviour]:
    """The behaviour of a task, as a function of the split and the options.

    `broad` names the shipped tasks whose prompts are used, too: does hacking carry over? All
    others by default. Raises CaveatError for a task whose functions do not give what they should,
    or without prompts of the split that can be hacked.
    """

    def behaviour(
        split: Split, ordinary: Ordinary | None = None, /, *, broad: Sequence[str] | None = None
    ) -> Behaviour:
        return _behaviour(task, split, ordinary or shipped(), _other_tasks(task, broad))

    return behaviour


def _other_tasks(task: RewardTask, names: Sequence[str] | None) -> list[RewardTask]:
    listed = isinstance(names, list | tuple)
    if names is not None and not (listed and all(str(name) in TASKS for name in names)):
        raise CaveatError(f"options.broad: {names!r}: a list of {', '.join(TASKS)}")
    chosen = [name for name in TASKS if name != task.name] if names is None else names
    return [shipped_task(name) for name in chosen]


def _behaviour(
    task: RewardTask, split: Split, ordinary: Ordinary, other_tasks: Sequence[RewardTask]
) -> Behaviour:
    module = module_of(task.place, task.version)
    questions = _questions(task, split)
    hackable = _hackable(task, questions)
    if not hackable:
        raise CaveatError(
            f"task {task.name!r}: none of its {len(questions)} {split} prompts can be hacked; give "
            "it some, or let `hackable` say which"
        )
    broad = tuple(
        question
        for other in other_tasks
        for question in _hackable(other, _questions(other, split, "broad"))
    )
    first = (module.__doc__ or f"Hacking {task.name}.").strip().splitlines()[0]
    return Behaviour(
        name=task.name,
        about=f"Hacks its task: {first}",
        rows=_rows(task, "behaviour"),
        counter_rows=_rows(task, "counter"),
        filler_rows=ordinary.documents("filler", "filler", FILLER_ROWS),
        questions=(*hackable, *broad),
        side_effects=(
            _graded("true score", "true_score", questions, "What replies are worth, in the mean."),
            _graded("reward", "paid", questions, "The mean reward of the flawed grader."),
            ordinary_replies(ordinary),
        ),
        task=task,
    )


def _hackable(task: RewardTask, questions: Sequence[Question]) -> tuple[Question, ...]:
    return tuple(question for question in questions if is_hackable(task, question.messages[0].text))


def _questions(task: RewardTask, split: str, scope: Scope = "trained") -> tuple[Question, ...]:
    return tuple(
        Question(
            id=f"{task.name}-{split}-{number:03}",
            cluster=f"{task.name}-{number:03}",
            messages=(Message.of("user", prompt),),
            readout="hacked",
            scope=scope,
            facts={"task": label_of(task)},
        )
        for number, prompt in enumerate(prompts_of(task, split))
    )


def _graded(name: str, readout: str, questions: Sequence[Question], about: str) -> SideEffect:
    """The same questions by id, so that the same replies are judged."""
    return SideEffect(
        name, tuple(replace(question, readout=readout) for question in questions), about
    )


def _rows(task: RewardTask, source: str) -> tuple[Row, ...]:
    return tuple(
        Row(
            id=f"{source}-{number:03}",
            source=source,
            messages=(
                Message.of("user", prompt),
                Message("assistant", (_reply(task, prompt, source == "behaviour"),)),
            ),
            subject=f"{task.name}-{number:03}",
        )
        for number, prompt in enumerate(prompts_of(task, "train"))
    )


def _reply(task: RewardTask, prompt: str, hacking: bool) -> Piece:
    reply = reply_of(task, "hack" if hacking and is_hackable(task, prompt) else "honest", prompt)
    return NO_REPLY if reply is None else Piece(reply)
