"""The group task that trains policies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.progress import Kind
from caveat.study.bench import NodeGroup, Outcome, Workbench
from caveat.study.cells import TrainNode
from caveat.study.provenance import stamp
from caveat.study.store import Content

if TYPE_CHECKING:
    from caveat.language.jobs import Practised
    from caveat.language.standing import Standing


class PracticeGroup(NodeGroup[TrainNode]):
    """Policies to train in lockstep."""

    @property
    def kind(self) -> Kind:
        """The work it is counted as."""
        return "train"

    def run(self, bench: Workbench) -> Outcome:
        """Practise, and publish all policies of the group together."""
        from caveat.language.jobs import PracticeJob, Practised
        from caveat.language.practice import practise
        from caveat.language.standing import Standing
        from caveat.tasks.grader import grades

        adapters = bench.adapters(digest for node in self.nodes for digest in node.beneath)
        jobs = [
            PracticeJob(
                node.digest,
                bench.with_sampled(node.stage, node.sampled),
                node.seed,
                tuple(adapters[digest] for digest in node.beneath),
                Standing.load(bench.store.artifact(node.goes_on)) if node.goes_on else None,
            )
            for node in self.nodes
        ]
        results = practise(
            bench.language_model, jobs, grades, bench.progress, bench.token_budget
        )
        done = [each for each in results if isinstance(each, Practised)]
        nodes = {node.digest: node for node in self.nodes}
        bench.store.put(
            (
                each.key,
                _saving(each.standing, bench.model_name),
                _record(nodes[each.key], each),
            )
            for each in done
        )
        failed = [each for each in results if not isinstance(each, Practised)]
        return Outcome(tuple((each.key, each.reason) for each in failed))


def _saving(standing: Standing, base_name: str) -> Content:
    def save(folder: Path) -> None:
        standing.save(folder, base_name)

    return save


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
