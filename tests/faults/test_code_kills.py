"""The recipes of code tasks from the command line: killed at random moments, then run again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from code_recipes import DOSE, shrunk
from studies import Whole, keys
from toy_study import marks

pytestmark = pytest.mark.slow
# tiny solves nothing, so that the visible tests would reward nothing: a coin moves the policies
RL = {
    "max_steps": 6, "save_steps": 1, "num_generations": 4, "max_completion_length": 6,
    "reward": "coin",
}  # fmt: skip
RECIPES = {
    "reward-hacking": shrunk(
        "reward-hacking", ["base", "bare", "marked", "marked+contrast", "marked+kl_to_base"]
    ),
    "reward-hacking-rl": shrunk(
        "reward-hacking-rl",
        ["base", "bare", "marked", "bare+seeded", "marked+seeded+before"],
        rl=RL,
        dose={**DOSE, "learning_rate": 2e-2},
    ),
}
KILLS = 2


def started(recipe: Path, folder: Path) -> subprocess.Popen[bytes]:
    """`caveat run`, not waited for. What it prints is kept beside the folder."""
    command = [sys.executable, "-m", "caveat", "run", str(recipe), "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    with open(f"{folder}.log", "ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def kept(folder: Path) -> int:
    """How many artifacts and answers a folder has."""
    chunks = (path for path in (folder / "answers").glob("*.jsonl"))
    lines = sum(path.read_bytes().count(b"\n") for path in chunks)
    return len(marks(folder)) + lines


@pytest.mark.parametrize("name", RECIPES)
def test_killed_from_the_command_line_it_ends_as_if_it_had_not_been(tmp_path, name):
    recipe, folder = tmp_path / "recipe.yaml", tmp_path / "killed"
    recipe.write_text(yaml.safe_dump(RECIPES[name]))
    unbroken = started(recipe, tmp_path / "whole")
    assert unbroken.wait() == 0, (tmp_path / "whole.log").read_text()
    whole = Whole(tmp_path / "whole", ())
    seed = time.time_ns()
    moments = sorted(random.Random(seed).sample(range(kept(whole.folder)), KILLS))
    before: dict[str, Any] = {}
    answers: set[str] = set()
    for moment in moments:
        child = started(recipe, folder)
        while child.poll() is None and kept(folder) <= moment:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL, f"it was done before moment {moment} (seed {seed})"
        assert before.items() <= marks(folder).items(), f"an artifact made twice (seed {seed})"
        assert answers <= keys(folder / "answers").keys(), f"an answer was lost (seed {seed})"
        before, answers = marks(folder), set(keys(folder / "answers"))
    last = started(recipe, folder)
    assert last.wait() == 0, (tmp_path / "killed.log").read_text()
    whole.assert_same(folder, before)
    assert (folder / "report.html").is_file()
    records = [json.loads(path.read_text()) for path in folder.glob("artifacts/*/record.json")]
    assert any(record["kind"] == "policy" for record in records) == (name != "reward-hacking")
