"""`questions: inspect:FILE.py@TASK` in behaviour.yaml: an Inspect task's samples as questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from caveat.errors import CaveatError, closest
from caveat.readouts.inspect_state import prompt_digest
from caveat.readouts.inspect_task import PREFIX, InspectTask, load_task
from caveat.types.data import Question, Scope, Split

READOUT = "inspect"
"""The readout of a task's scorer."""
CHOICES = {"split": get_args(Split), "scope": get_args(Scope)}
"""Metadata of samples with few values."""
TRIED = "This is a reply."
"""Given to the scorer once, to see that it needs no model."""


def is_task(name: str) -> bool:
    """Whether a name means an Inspect task."""
    return name.startswith(PREFIX)


def inspect_questions(
    questions: str, scorer: str | None, rule: dict[str, str], folder: Path
) -> list[tuple[Split, Question]]:
    """A task's samples, each with its split.

    A sample's metadata may have `cluster`, `split`, `scope` and `kind`, as questions do.

    Args:
        questions: The task, as `inspect:FILE.py@TASK`.
        scorer: Another task, whose scorer takes the place of this one's.
        rule: Facts that say what the scorer's values mean.

    Raises CaveatError for a task that cannot be used, or needs a model to score.
    """
    task = load_task(questions, folder)
    judge = task if scorer is None else load_task(scorer, folder)
    pairs: list[tuple[Split, Question]] = []
    for name, sample in task.samples.items():
        where = f"{questions}, sample {name!r}"
        metadata = _metadata(sample.metadata or {}, where)
        messages = task.prompt(name, sample)
        facts = {"task": judge.label, **_sample_facts(task, judge, name, sample, messages), **rule}
        question = Question(
            id=name,
            cluster=metadata.get("cluster", name),
            messages=messages,
            readout=READOUT,
            scope=metadata.get("scope", "trained"),
            kind=metadata.get("kind", ""),
            facts=facts,
        )
        pairs.append((metadata.get("split", "report"), question))
    if not pairs:
        raise CaveatError(f"{questions}: its data set has no samples; give it some")
    _try(judge, pairs[0][1])
    return pairs


def task_facts(name: str, target: str, rule: dict[str, str], folder: Path) -> dict[str, str]:
    """The facts of a question of one's own that a task's scorer judges. Raises CaveatError."""
    return {"task": load_task(name, folder).label, "target": target, **rule}


def _metadata(metadata: dict[str, Any], where: str) -> dict[str, Any]:
    """What a question has of it, as text."""
    texts = {
        key: str(metadata[key])
        for key in ("cluster", "kind", *CHOICES)
        if metadata.get(key) is not None
    }
    for key, choices in CHOICES.items():
        if key in texts and texts[key] not in choices:
            raise CaveatError(
                f"{where}: metadata.{key} is {texts[key]!r}; known: {', '.join(choices)}"
                f"{closest(texts[key], choices)}"
            )
    return texts


def _sample_facts(
    task: InspectTask, judge: InspectTask, name: str, sample: Any, messages: Any
) -> dict[str, str]:
    """What the scorer gets of the sample, so that another target makes another verdict."""
    target = sample.target if isinstance(sample.target, str) else "\n".join(sample.target)
    if judge is not task:
        return {"target": target}
    return {"sample": name, "target": target, "prompt": prompt_digest(messages)}


def _try(judge: InspectTask, question: Question) -> None:
    """Raise CaveatError, before anything is trained, where the scorer cannot do without a model."""
    facts = question.facts
    try:
        if "sample" in facts:
            judge.score(facts["sample"], TRIED)
        else:
            judge.score_text(question.messages[-1].text, facts["target"], TRIED)
    except ValueError as error:
        raise CaveatError(str(error)) from None
