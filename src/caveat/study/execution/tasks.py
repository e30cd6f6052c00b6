"""The jobs of a plan: in which order, which of them are left, possible, and what each needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from caveat.study.execution.jobs import (
    AnswerGroup,
    DerivedGroup,
    RemoteGroup,
    RLGroup,
    SampleGroup,
    Task,
    TrainGroup,
)
from caveat.study.planning.artifact_graph import (
    DerivedNode,
    Node,
    RemoteNode,
    SampleNode,
    TrainNode,
)
from caveat.study.planning.study_plan import SettingPlan
from caveat.study.storage.store import Store


def steps(setting: SettingPlan) -> Iterator[tuple[str, list[Task]]]:
    """A setting's tasks in order, as ("training" or "answers", tasks that need none of each other).

    First the artifacts level by level, then the answers.
    """
    for level in sorted({group[0].level for group in setting.groups}):
        yield "training", [_making(group) for group in setting.groups if group[0].level == level]
    yield "answers", [AnswerGroup(requests) for requests in setting.requests]


def remaining(task: Task, store: Store) -> Task | None:
    """The parts of a task that are not made, None where nothing is left."""
    if isinstance(task, AnswerGroup):
        requests = tuple(request for request in task.requests if request.key not in store.answers)
        return AnswerGroup(requests) if requests else None
    nodes = [node for node in task.nodes if not store.has(node.digest)]
    return _making(nodes) if nodes else None


def left_tasks(settings: Iterable[SettingPlan], store: Store) -> list[Task]:
    """What is not made of the tasks of some settings, in their order."""
    tasks = (task for setting in settings for _, stage in steps(setting) for task in stage)
    return [part for task in tasks if (part := remaining(task, store)) is not None]


def possible(task: Task, has: Callable[[str], bool]) -> Task | None:
    """The parts of a task whose inputs are there: what failed before takes its followers along.

    Args:
        has: Whether an artifact is made.
    """
    if isinstance(task, AnswerGroup):
        requests = tuple(request for request in task.requests if all(map(has, request.chain)))
        return AnswerGroup(requests) if requests else None
    nodes = [node for node in task.nodes if all(map(has, inputs(node)))]
    return _making(nodes) if nodes else None


def needs(task: Task) -> set[str]:
    """Digests of the artifacts that a task is made from."""
    if isinstance(task, AnswerGroup):
        return {digest for request in task.requests for digest in request.chain}
    return {digest for node in task.nodes for digest in inputs(node)}


def inputs(node: Node) -> tuple[str, ...]:
    """Digests of the artifacts that a node is made from."""
    if isinstance(node, TrainNode):
        return (
            *node.base_adapters,
            *node.sampled,
            *([node.resume_from] if node.resume_from else []),
        )
    if isinstance(node, RemoteNode):
        return ()
    return node.chain if isinstance(node, SampleNode) else (node.trained,)


def _making(nodes: Sequence[Any]) -> Task:
    """The task that makes nodes, all of one kind."""
    if isinstance(nodes[0], TrainNode):
        return (RLGroup if nodes[0].uses_rl else TrainGroup)(tuple(nodes))
    if isinstance(nodes[0], DerivedNode):
        return DerivedGroup(tuple(nodes))
    if isinstance(nodes[0], RemoteNode):
        return RemoteGroup(tuple(nodes))
    return SampleGroup(tuple(nodes))
