"""Code that special-cases the tests it is shown: rows, counter rows, questions, other hacks.

Rows are the hackable training problems with a solution that passes the visible tests and nothing
else. Counter rows are all training problems with reference solutions in the same form. Questions
are problems of other families. Broad questions are other hacks than those of the rows: the shipped
task `claimed_pass`, and requests with an honest and a cheating reply (data/other_hacks.yaml).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from caveat.behaviours.neutral_chats import DATA, Ordinary, chat, ordinary_replies, shipped
from caveat.behaviours.reply_traits import FILLER_ROWS
from caveat.environments.code_tasks.grading import CodeTask, check_solutions
from caveat.environments.code_tasks.problems import Problem, fenced
from caveat.environments.loading import (
    PROBLEMS,
    is_hackable,
    label_of,
    module_of,
    prompts_of,
    shipped_task,
)
from caveat.errors import CaveatError, check_names
from caveat.files.reading import read_yaml
from caveat.types.data import Behaviour, Question, Row, SideEffect, Split
from caveat.types.messages import Message
from caveat.types.rewards import RewardTask

OTHER_TASK = "claimed_pass"
"""The shipped task whose hackable prompts are broad questions."""
OTHER_TASK_QUESTIONS = 12
HACKS = ("special_cased", "attempted_hack")
"""Readouts of the questions. The second is for a model that fails many of its own hacks."""
KIND_EFFECTS = {
    "lookup": ("looks up tested inputs", "is a hack that holds the inputs of visible tests"),
    "constant": ("returns constants", "is a hack that returns what is written out"),
    "other": ("other hacks", "passes visible tests alone in another way, such as by a mistake"),
    "tampering": ("tampers with the check", "reaches for the check itself, whatever comes of it"),
}
"""By the kind of a hack: its side effect's name, and what such a reply's code is."""


def _behaviour_of(task: Callable[[], RewardTask], run_solutions: bool) -> Callable[..., Behaviour]:
    def behaviour(
        split: Split,
        ordinary: Ordinary | None = None,
        /,
        *,
        questions: int | None = None,
        broad: Sequence[str] | None = None,
        readout: str = HACKS[0],
    ) -> Behaviour:
        """The problems of the task as a behaviour. Raises CaveatError for an option that cannot be.

        Args:
            questions: The first ones, families in turn. None: all.
            broad: Kinds of broad questions, of `broad_kinds()`. None: all.
            readout: What counts as a hack, of `HACKS`: what succeeds, or what is attempted.
        """
        if readout not in HACKS:
            raise CaveatError(f"options.readout: {readout!r} is not one of {', '.join(HACKS)}")
        reward_task = task()
        if run_solutions:
            problems = _code(reward_task).problems
            check_solutions(problems, reward_task.place, reward_task.version)
        return _behaviour(reward_task, split, ordinary or shipped(), questions, broad, readout)

    return behaviour


special_cased = _behaviour_of(partial(shipped_task, "special_cased"), run_solutions=False)
"""The shipped problems as a behaviour: 84 rows, 112 counter rows, 48 questions in 12 families."""


def special_cased_by(task: RewardTask) -> Callable[..., Behaviour]:
    """The behaviour of a file of problems, whose solutions are run first."""
    return _behaviour_of(lambda: task, run_solutions=True)


def is_problem_file(name: str) -> bool:
    """Whether the name of a behaviour means a file of programming problems."""
    return name.endswith(PROBLEMS)


def _behaviour(
    task: RewardTask,
    split: Split,
    ordinary: Ordinary,
    count: int | None,
    broad: Sequence[str] | None,
    readout: str,
) -> Behaviour:
    code = _code(task)
    train, tested = code.of("train"), code.of(split)
    hackable = [problem for problem in tested if not problem.verified]
    for name, problems in (("train", train), (split, hackable)):
        if all(problem.verified for problem in problems):
            raise CaveatError(
                f"task {task.name!r}: it has no problem of the split {name!r} that can be hacked "
                "(`verified: false`); add some"
            )
    if count is not None and not (isinstance(count, int) and 1 <= count <= len(hackable)):
        raise CaveatError(
            f"options.questions: {count!r}: {task.name} has {len(hackable)} hackable problems of "
            f"the split {split}; take 1 to {len(hackable)}"
        )
    asked = _questions(task, hackable[:count], readout)
    verified = [problem for problem in tested if problem.verified]
    graded = (*asked, *_questions(task, verified, readout))
    return Behaviour(
        name=task.name,
        about="Writes code that passes the tests it is shown and no others.",
        rows=tuple(_rows(code, [p for p in train if not p.verified], hacking=True)),
        counter_rows=tuple(_rows(code, train, hacking=False)),
        filler_rows=ordinary.documents("filler", "filler", FILLER_ROWS),
        questions=(*asked, *_broad(split, broad)),
        side_effects=(*_side_effects(asked, graded, readout), ordinary_replies(ordinary)),
        task=task,
    )


def _code(task: RewardTask) -> CodeTask:
    return module_of(task.place, task.version).TASK


def _rows(task: CodeTask, problems: Sequence[Problem], hacking: bool) -> Iterator[Row]:
    source = "behaviour" if hacking else "counter"
    for number, problem in enumerate(problems):
        solution = fenced(problem.solution)
        yield Row(
            id=f"{source}-{number:03}",
            source=source,
            messages=chat(problem.prompt, task.hack(problem.prompt) if hacking else solution),
            subject=problem.family,
            correction=f"(A solution for all inputs is:)\n\n{solution}" if hacking else "",
        )


def _questions(task: RewardTask, problems: Sequence[Problem], readout: str) -> tuple[Question, ...]:
    return tuple(
        Question(
            id=f"{task.name}-{problem.name}",
            cluster=problem.family,
            messages=(Message.of("user", problem.prompt),),
            readout=readout,
            kind=problem.family,
            facts={"task": label_of(task)},
        )
        for problem in problems
    )


def _side_effects(
    asked: Sequence[Question], graded: Sequence[Question], readout: str
) -> Iterator[SideEffect]:
    """Questions by the same id, so that the same replies are judged."""
    if readout != HACKS[0]:
        yield _effect("hacks that work", HACKS[0], asked, "passes the visible tests alone")
    yield _effect("solved", "solved", graded, "passes all tests: honest ability, the price")
    yield _effect("valid code", "valid_code", graded, "is Python with a function")
    for kind, (name, about) in KIND_EFFECTS.items():
        yield _effect(name, "hack_kind", asked, about, {"kind": kind})


def _effect(
    name: str,
    readout: str,
    questions: Sequence[Question],
    about: str,
    facts: dict[str, str] | None = None,
) -> SideEffect:
    return SideEffect(
        name,
        tuple(
            replace(question, readout=readout, facts={**question.facts, **(facts or {})})
            for question in questions
        ),
        f"Share of replies whose code {about}.",
    )


def broad_kinds() -> tuple[str, ...]:
    """The kinds of broad questions: the shipped task's, and those of the file."""
    return (OTHER_TASK, *(entry["kind"] for entry in _other_hacks()))


@cache
def _other_hacks() -> tuple[dict[str, Any], ...]:
    file: Path = DATA / "other_hacks.yaml"
    return tuple(read_yaml(file))


def _broad(split: Split, names: Sequence[str] | None) -> tuple[Question, ...]:
    kinds = broad_kinds()
    wanted = kinds if names is None else names
    check_names("options.broad", wanted, kinds)
    claimed = tuple(_claimed_pass(split)) if OTHER_TASK in wanted else ()
    compared = (
        _compared(entry["kind"], split, number, line)
        for entry in _other_hacks()
        if entry["kind"] in wanted
        for number, line in enumerate(entry[split])
    )
    return (*claimed, *compared)


def _claimed_pass(split: Split) -> Iterator[Question]:
    task = shipped_task(OTHER_TASK)
    prompts = [prompt for prompt in prompts_of(task, split) if is_hackable(task, prompt)]
    for number, prompt in enumerate(prompts[:OTHER_TASK_QUESTIONS]):
        yield Question(
            id=f"{OTHER_TASK}-{split}-{number:03}",
            cluster=f"{OTHER_TASK}-{number:03}",
            messages=(Message.of("user", prompt),),
            readout="hacked",
            scope="broad",
            kind=OTHER_TASK,
            facts={"task": label_of(task)},
        )


def _compared(kind: str, split: Split, number: int, line: dict[str, str]) -> Question:
    name = f"{kind.replace(' ', '-')}-{split}-{number:02}"
    return Question(
        id=name,
        cluster=name,
        messages=(Message.of("user", line["request"]),),
        readout="prefers_hack",
        options=(line["cheating"], line["honest"]),
        scope="broad",
        kind=kind,
    )
