"""The group task that trains policies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.progress import Kind
from caveat.study.bench import NodeGroup, Outcome, Workbench
from caveat.study.cells import TrainNode
from caveat.study.provenance import stamp

if TYPE_CHECKING:
    from caveat.language.jobs import Practised
    from caveat.language.standing import Standing


class PracticeGroup(NodeGroup[TrainNode]):
    """Policies to train in lockstep."""

    @property
    def kind(self) -> Kind:
        """The work it is counted as."""
        return "practise"

    def run(self, bench: Workbench) -> Outcome:
        """Practise, and publish all policies of the group together."""
        from caveat.language.jobs import PracticeJob
        from caveat.language.practice import practise
        from caveat.tasks.grader import grades

        jobs = [
            PracticeJob(**vars(job), goes_on=_before(node, bench))
            for node, job in zip(self.nodes, bench.jobs(self.nodes), strict=True)
        ]
        results = practise(
            bench.language_model, jobs, grades, bench.progress, bench.token_budget
        )
        return bench.publish(self.nodes, results, lambda made: made.standing, _record)


def _before(node: TrainNode, bench: Workbench) -> Standing | None:
    """Where the policy stands that a node goes on from, if it does."""
    from caveat.language.standing import Standing

    return Standing.load(bench.store.artifact(node.goes_on)) if node.goes_on else None


def _record(node: TrainNode, practised: Practised) -> dict[str, Any]:
    stage = node.stage
    assert stage.practice is not None
    practice = asdict(stage.practice)
    return {
        "kind": "policy",
        "label": stage.label,
        "dose": asdict(stage.dose),
        "practice": {**practice, "task": Path(practice["task"]).name},
        "rows": len(stage.rows),
        "added": len(stage.added),
        "seed": node.seed,
        "beneath": node.beneath,
        "sampled": node.sampled,
        "goes_on": node.goes_on,
        "updates": [asdict(update) for update in practised.updates],
        "tokens": practised.tokens,
        **stamp(),
    }
