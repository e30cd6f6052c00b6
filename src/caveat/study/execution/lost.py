"""Adapters that a service has dropped: those that are still needed are made again."""

from __future__ import annotations

from pathlib import Path

from caveat.backends.base import Backend
from caveat.study.execution.tasks import left_tasks, needs
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
    digests = {digest for task in left_tasks(plan.settings, store) for digest in needs(task)}
    needed = {store.artifact(digest) for digest in digests - rows if store.has(digest)}
    for ref in backend.lost(sorted(needed)):
        assert isinstance(ref, Path)
        store.set_aside(ref.name, "lost", "its checkpoint is gone from the service")
