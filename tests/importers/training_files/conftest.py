"""Small training files, written where a test wants them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caveat.importers.training_files import TrainingFile, read_training_file

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes rows as JSON Lines and gives the path."""

    def write(rows: list[Any], name: str = "train.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    return write


@pytest.fixture
def file_of(written: Written) -> Callable[..., TrainingFile]:
    """The training file of some rows."""
    return lambda rows, name="train.jsonl": read_training_file(written(rows, name))
