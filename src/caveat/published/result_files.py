"""The public repository's result files: MODEL/CLAIM/CONDITION/STEP/EVALUATION.csv."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from caveat.errors import CaveatError
from caveat.published.reading import need, read_table

if TYPE_CHECKING:
    from pandas import DataFrame

PARTS = ("model", "claim", "condition", "step")
"""What the folders over a file are, from the outermost."""
COLUMNS = {"judge_verdict": "verdict", "model_response": "response", "sample_index": "sample"}
"""Columns of the files under the names of the data set."""


def results(path: Path, evaluations: Collection[str], notes: list[str]) -> DataFrame:
    """All files of the evaluations below a folder, as one table of text.

    `path` may be the folder of one model or condition too: its own name and those above it count.
    Of several steps of a condition the last is taken, and `notes` says so. Raises CaveatError where
    there is no such file, or one cannot be read.
    """
    import pandas as pd

    found = [(tuple(file.resolve().parts[-5:-1]), file) for file in sorted(path.rglob("*.csv"))]
    known = [(where, file) for where, file in found if file.stem in evaluations]
    if not known:
        raise CaveatError(
            f"{path}: holds neither verdicts.parquet nor result files called "
            f"MODEL/CLAIM/CONDITION/STEP/EVALUATION.csv (evaluations: {', '.join(evaluations)}); "
            "check the path"
        )
    others = sorted({file.stem for _, file in found} - {file.stem for _, file in known})
    if others:
        notes.append(f"evaluations left out, being none of the four kinds: {', '.join(others)}")
    last = _last_steps({where for where, _ in known}, notes)
    tables = [_table(where, file) for where, file in known if where in last]
    together = pd.concat(tables, ignore_index=True).astype(object)
    return together.where(together.notna(), None)


def _last_steps(folders: set[tuple[str, ...]], notes: list[str]) -> set[tuple[str, ...]]:
    """The folder of the last step of each condition."""
    steps: dict[tuple[str, ...], list[str]] = {}
    for *condition, step in sorted(folders):
        steps.setdefault(tuple(condition), []).append(step)
    chosen = set()
    for condition, names in steps.items():
        *earlier, last = sorted(names, key=_order)
        chosen.add((*condition, last))
        if earlier:
            notes.append(f"{'/'.join(condition)}: step {last} is taken, not {', '.join(earlier)}")
    return chosen


def _order(step: str) -> tuple[bool, int, str]:
    """Sorts steps: by their number, `final` behind all."""
    numbers = re.findall(r"\d+", step)
    return step == "final", int(numbers[-1]) if numbers else -1, step


def _table(where: tuple[str, ...], file: Path) -> DataFrame:
    frame = read_table(file).rename(columns=COLUMNS)
    need(frame.rename(columns={"verdict": "judge_verdict"}), ("question_id", "judge_verdict"), file)
    return frame.assign(**dict(zip(PARTS, where, strict=True)), eval=file.stem)
