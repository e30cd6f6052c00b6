"""What is left to do of a plan, given what the store has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from caveat.study.cells import DerivedNode, Node, SampleNode, TrainNode
from caveat.study.planning import SettingPlan
from caveat.study.practice_group import PracticeGroup
from caveat.study.store import Store
from caveat.study.tasks import AnswerGroup, DerivedGroup, SampleGroup, Task, TrainGroup


def steps(setting: SettingPlan) -> Iterator[tuple[str, list[Task]]]:
    """A setting's tasks in order, as ("training" or "answers", tasks that need none of each other).

    First the artifacts level by level, then the answers.
    """
    for level in sorted({group[0].level for group in setting.groups}):
        yield "training", [_making(group) for group in setting.groups if group[0].level == level]
    yield "answers", [AnswerGroup(asks) for asks in setting.asks]


def remaining(task: Task, store: Store) -> Task | None:
    """The parts of a task that are not made, None where nothing is left."""
    if isinstance(task, AnswerGroup):
        asks = tuple(ask for ask in task.asks if ask.key not in store.answers)
        return AnswerGroup(asks) if asks else None
    nodes = [node for node in task.nodes if not store.has(node.digest)]
    return _making(nodes) if nodes else None


def possible(task: Task, store: Store) -> Task | None:
    """The parts of a task whose inputs are there: what failed before takes its followers along."""
    if isinstance(task, AnswerGroup):
        asks = tuple(ask for ask in task.asks if all(map(store.has, ask.chain)))
        return AnswerGroup(asks) if asks else None
    nodes = [node for node in task.nodes if all(map(store.has, inputs(node)))]
    return _making(nodes) if nodes else None


def inputs(node: Node) -> tuple[str, ...]:
    """Digests of the artifacts that a node is made from."""
    if isinstance(node, TrainNode):
        return (*node.beneath, *node.sampled, *([node.goes_on] if node.goes_on else []))
    return node.chain if isinstance(node, SampleNode) else (node.trained,)


def _making(nodes: Sequence[Any]) -> Task:
    """The task that makes nodes, all of one kind."""
    if isinstance(nodes[0], TrainNode):
        return (PracticeGroup if nodes[0].practises else TrainGroup)(tuple(nodes))
    if isinstance(nodes[0], DerivedNode):
        return DerivedGroup(tuple(nodes))
    return SampleGroup(tuple(nodes))
