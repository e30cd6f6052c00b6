"""Training curves: every step of every training, written as it goes and read as one frame.

    metrics/DIGEST.jsonl           one line a step of the training that makes the artifact DIGEST
    versions/ID/stages.jsonl       which trainings each cell of a version consists of

Both are outside identity: deleting them changes no result.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caveat.backends.base import Backend
from caveat.backends.callbacks import Callback, StepEvent
from caveat.backends.jobs import AdapterRef, TrainingJob
from caveat.files.atomic import write, write_errors
from caveat.files.reading import parse_json
from caveat.study.storage.store import Store

if TYPE_CHECKING:
    from pandas import DataFrame

    from caveat.study.planning.study_plan import StudyPlan


CELL = ("setting", "model", "dose", "arm", "seed", "stage", "label", "digest")
STEP = ("step", "steps", "loss", "grad_norm", "learning_rate", "tokens")
RL_METRICS = (
    "reward", "true_score", "hack_rate", "kl", "clip_ratio", "frac_reward_zero_std",
    "completion_length", "truncated", "skipped",
)  # fmt: skip


class MetricsFile(Callback):
    """Writes a line a step, so that curves can be read while training goes and after a kill.

    A training that is done again starts its file again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """The study's."""

    def on_train_begin(self, jobs: Sequence[TrainingJob[AdapterRef]], backend: Backend) -> None:
        """Start the jobs' files. Raises Unwritable."""
        for job in jobs:
            write(metrics_path(self.folder, job.key), b"")

    def on_step_end(self, event: StepEvent) -> None:
        """Append the step to its job's file. Raises Unwritable."""
        values = {name: getattr(event, name) for name in STEP} | dict(event.metrics)
        line = json.dumps({name: _finite(value) for name, value in values.items()}) + "\n"
        with write_errors(self.folder), metrics_path(self.folder, event.job).open("ab") as file:
            file.write(line.encode("utf-8"))


def metrics_path(folder: Path, digest: str) -> Path:
    """Where the steps of a training are written."""
    return folder / "metrics" / f"{digest}.jsonl"


def write_stages(store: Store, version: str, plan: StudyPlan) -> None:
    """Note which trainings the cells of a version consist of. Raises Unwritable."""
    store.write_lines(_stages_name(version), _stages(plan))


def trainings(store: Store, version: str) -> list[str]:
    """Digests of the trainings of a version, each once; cells may share some."""
    return list(dict.fromkeys(stage["digest"] for stage in store.lines(_stages_name(version))))


def training_frame(store: Store, version: str) -> DataFrame:
    """One row a step of each cell's trainings: see `Study.training`."""
    import pandas as pd

    rows = [
        {**stage, **step}
        for stage in store.lines(_stages_name(version))
        for step in _steps(metrics_path(store.folder, stage["digest"]))
    ]
    columns = (*CELL, *STEP, *RL_METRICS)
    others = sorted({name for row in rows for name in row} - set(columns))
    frame = pd.DataFrame(rows, columns=[*columns, *others])
    whole = dict.fromkeys(("seed", "stage", "step", "steps", "tokens"), "Int64")
    numbers = dict.fromkeys(("loss", "grad_norm", "learning_rate", *RL_METRICS, *others), float)
    return frame.astype({**whole, **numbers})


def _stages_name(version: str) -> str:
    return f"versions/{version}/stages.jsonl"


def _stages(plan: StudyPlan) -> Iterator[dict[str, Any]]:
    """One record a cell and training, in the order of the plan."""
    from caveat.study.planning.artifact_graph import TrainNode

    for setting in plan.settings:
        for cell in setting.cells:
            trainings = [node for node in cell.nodes if isinstance(node, TrainNode)]
            for number, node in enumerate(trainings, 1):
                values = (
                    setting.name, setting.model_name(plan.recipe.model.source), setting.dose,
                    cell.arm, cell.seed, number, node.stage.label, node.digest,
                )  # fmt: skip
                yield dict(zip(CELL, values, strict=True))


def _steps(path: Path) -> list[dict[str, Any]]:
    """The steps in a file, in order; a line that a kill cut short is left out.

    Of two lines for a step, which two workers may have written, the later counts.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    steps: dict[int, dict[str, Any]] = {}
    for line in lines:
        try:
            step = parse_json(line)
            steps[step["step"]] = step
        except (ValueError, TypeError, KeyError):
            continue
    return [steps[number] for number in sorted(steps)]


def _finite(value: float) -> float | None:
    """The value as JSON has it: it knows neither infinity nor NaN."""
    return value if math.isfinite(value) else None
