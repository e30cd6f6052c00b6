"""Verdicts as other projects write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from made_verdicts import CONDITIONS, EVALUATIONS


@pytest.fixture
def data_set(tmp_path) -> Callable[..., Path]:
    """Writes verdicts.parquet into a new folder; the folder."""

    def write(frame: pd.DataFrame) -> Path:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        frame.to_parquet(folder / "verdicts.parquet")
        return folder

    return write


@pytest.fixture
def result_files(tmp_path) -> Callable[..., Path]:
    """Writes the public repository's result files; their folder."""

    def write(frame: pd.DataFrame, model: str = "Toy-1B", step: str = "final") -> Path:
        renamed = frame.rename(
            columns={"sample": "sample_index", "response": "model_response",
                     "verdict": "judge_verdict", "claim": "universe"}
        ).assign(thinking=False, judge_raw="")  # fmt: skip
        for (claim, condition, kind), rows in renamed.groupby(["universe", "condition", "eval"]):
            own = "base" if condition == "base" else step
            parts = (model, claim, CONDITIONS.get(condition, condition), own)
            folder = tmp_path.joinpath("results", *parts)
            folder.mkdir(parents=True, exist_ok=True)
            name = EVALUATIONS.get(kind, kind)
            rows.drop(columns=["condition", "eval"]).to_csv(folder / f"{name}.csv", index=False)
        return tmp_path / "results"

    return write
