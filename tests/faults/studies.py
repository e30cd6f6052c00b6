"""Toy studies that faults are let loose on, and what must hold of one that was disturbed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from caveat.study.study import Study
from harness import child
from toy_study import marks, rl_recipe, small

ARMS = ["base", "bare", "marked", "marked+contrast"]
SETTING = small()["settings"][0]
STUDIES: dict[str, dict[str, Any]] = {
    "trained": small(arms=ARMS, group_size=2, contexts=["none", "exact", "near_miss"]),
    "warmed": small(settings=[{**SETTING, "warm_up": {"scale": 0.5, "rows": 2}}]),
    "sampled": small(settings=[{**SETTING, "origin": "sampled"}]),
    "practised": rl_recipe(),
}
"""By name, recipes that write every kind of artifact there is."""


@dataclass(frozen=True)
class Whole:
    """What an undisturbed run of a study leaves."""

    folder: Path
    points: tuple[str, ...]
    """Those that it passed."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """Its leakage."""
        return Study(self.folder).leakage()

    @cached_property
    def replies(self) -> pd.DataFrame:
        """Every reply with its verdict."""
        return Study(self.folder).answers()

    def assert_same(self, folder: Path, before: dict[str, tuple[int, int]] | None = None) -> None:
        """Assert that a folder says the same, with every artifact, answer and verdict once.

        Args:
            before: `marks` of artifacts that must not have been made again.
        """
        study = Study(folder)
        pd.testing.assert_frame_equal(study.leakage(), self.table)
        pd.testing.assert_frame_equal(study.answers(), self.replies)
        assert len(study.failures()) == 0 and len(study.versions) == 1
        made = marks(folder)
        assert made.keys() == marks(self.folder).keys()
        assert (before or {}).items() <= made.items()
        for kind in ("answers", "verdicts"):
            assert keys(folder / kind) == keys(self.folder / kind)
        assert not list(folder.rglob("*.part"))


@dataclass
class Undisturbed:
    """Runs each study once, when it is first asked for."""

    folder: Path
    made: dict[str, Whole] = field(default_factory=dict)

    def __call__(self, name: str) -> Whole:
        """What the run left."""
        if name not in self.made:
            ended = child(STUDIES[name], self.folder / name)
            assert ended.code == 0, ended.said
            assert set(keys(self.folder / name / "answers").values()) == {1}
            self.made[name] = Whole(self.folder / name, ended.points)
        return self.made[name]


def keys(chunks: Path) -> Counter[str]:
    """How often each key stands in a folder of chunks."""
    lines = (line for path in chunks.glob("*.jsonl") for line in path.read_text().splitlines())
    return Counter(record["key"] for record in map(json.loads, lines) if "key" in record)
