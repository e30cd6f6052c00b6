"""Adapters that a service has dropped: those that are still needed are made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from caveat.backends.base import Backend
from caveat.study.execution.jobs import AnswerGroup, inputs, remaining, steps
from caveat.study.planning.artifact_graph import SampleNode
from caveat.study.planning.study_plan import StudyPlan
from caveat.study.storage.store import Store


def set_lost_aside(plan: StudyPlan, store: Store, backend: Backend) -> None:
    """Set adapters aside that are lost and that some work left still needs, so that it is redone.

    Answers that are there stay, and so do adapters that nothing needs any more: neither costs
    anything again.
    """
    rows = {
        node.digest for cell in plan.cells for node in cell.nodes if isinstance(node, SampleNode)
    }
    needed = {store.artifact(digest) for digest in _needed(plan, store) if digest not in rows}
    for ref in backend.lost(sorted(needed)):
        assert isinstance(ref, Path)
        store.set_aside(ref.name, "lost", "its checkpoint is gone from the service")


def _needed(plan: StudyPlan, store: Store) -> Iterator[str]:
    """Digests of finished artifacts that some work left starts from."""
    for setting in plan.settings:
        for task in (task for _, tasks in steps(setting) for task in tasks):
            left = remaining(task, store)
            if left is None:
                continue
            digests = (
                (digest for request in left.requests for digest in request.chain)
                if isinstance(left, AnswerGroup)
                else (digest for node in left.nodes for digest in inputs(node))
            )
            yield from filter(store.has, digests)
