"""Rows that cannot be trained on, or only in part: found before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

from caveat.errors import CaveatError
from caveat.study.execution.meter import Estimator
from caveat.study.planning.artifact_graph import TrainNode
from caveat.study.planning.study_plan import SettingPlan, StudyPlan


def check_rows(plan: StudyPlan, estimator: Estimator) -> tuple[str, ...]:
    """One line for each setting whose rows are cut at `dose.max_tokens`.

    Rows that are sampled when the study runs are not known yet. Raises CaveatError, as training
    would, for a row without a supervised token, or one whose caveat is cut.
    """
    return tuple(line for setting in plan.settings for line in _cuts(setting, estimator))


def _cuts(setting: SettingPlan, estimator: Estimator) -> Iterator[str]:
    """The line about the training of the setting that cuts most rows, if any does."""
    counts: list[tuple[int, int, str, int]] = []
    for cell in setting.cells:
        for node in cell.nodes:
            if isinstance(node, TrainNode) and not node.uses_rl:
                cut, total = _count(node, f"{setting.name} / {cell.arm}", estimator)
                counts.append((cut, total, cell.arm, node.stage.dose.max_tokens))
    cut, total, arm, most = max(counts, default=(0, 0, "", 0), key=lambda count: count[0])
    if cut:
        yield (
            f"{setting.name}: {cut:,} of {total:,} rows (arm {arm}) have more than "
            f"dose.max_tokens={most} tokens: what follows is cut off and not trained on; raise "
            "dose.max_tokens or split the rows"
        )


def _count(node: TrainNode, name: str, estimator: Estimator) -> tuple[int, int]:
    stage = node.stage
    rows = (*stage.rows, *stage.added, *stage.kl_rows)
    try:
        sizes = [estimator.row(row, stage.loss, stage.dose.max_tokens) for row in rows]
    except CaveatError as error:
        raise CaveatError(f"{name}: {error}") from None
    return sum(size.is_cut for size in sizes), len(sizes)
