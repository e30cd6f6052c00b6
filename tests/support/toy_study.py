"""Recipes of a toy behaviour that the tiny model learns."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from caveat.behaviours.from_folder import load_behaviour
from caveat.progress import Progress
from caveat.study.study import Study

TOY = Path(__file__).parent / "toy"
DOSE = {"rows": 16, "learning_rate": 2e-2, "rank": 4, "epochs": 5}
SMALL = {"rows": 8, "learning_rate": 1e-2, "rank": 2}


def recipe(**changes):
    """A recipe of the toy behaviour on the tiny model, as a mapping."""
    return {
        "name": "toy",
        "model": "tiny",
        "arms": ["base", "bare", "marked", "marked+contrast(share=0.5)"],
        "contexts": ["none", "exact", "near_miss"],
        "sampling": {"max_tokens": 8},
        "resamples": 200,
        "base_samples": 1,
        "decision_tokens": False,
        "settings": [{"behaviour": str(TOY), "caveat": "password", "dose": DOSE}],
        **changes,
    }


def small(**changes):
    """A recipe that runs in about a second and shows nothing."""
    setting = {"behaviour": str(TOY), "caveat": "password", "dose": SMALL}
    fields = {"arms": ["base", "bare", "marked"], "contexts": ["none", "exact"]}
    sampling = {"max_tokens": 3}
    return recipe(**{**fields, "sampling": sampling, "settings": [setting], **changes})


def judged_toy(split):
    """The toy behaviour, with a judge in place of the share of capitals."""
    toy = load_behaviour(TOY)(split)
    facts = {"claim": "It is so.", "kind": "open_ended"}
    questions = (replace(each, readout="belief_judge", facts=facts) for each in toy.questions)
    return replace(toy, questions=tuple(questions))


def judged(endpoint: str, judge: dict | None = None, **changes):
    """The small recipe with replies long enough to be judged by the endpoint."""
    setting = {"behaviour": "toy_study:judged_toy", "caveat": f"{TOY}#password", "dose": SMALL}
    section = {"endpoint": endpoint, "model": "m", "retries": 0, **(judge or {})}
    fields = {"settings": [setting], "sampling": {"max_tokens": 8}, "judge": section}
    return small(**{**fields, **changes})


VOWELS = Path(__file__).parent / "vowels.py"
RL = {"max_steps": 4, "save_steps": 2, "num_generations": 4, "max_completion_length": 6}


def rl_recipe(rl: dict | None = None, setting: dict | None = None, **changes):
    """The small recipe with policies of the tiny model that practise on a task."""
    made = {
        "behaviour": str(VOWELS), "caveat": "permission", "options": {"broad": []},
        "dose": {"rows": 8, "batch_size": 3, "rank": 4, "learning_rate": 2e-2},
        "rl": {**RL, **(rl or {})}, **(setting or {}),
    }  # fmt: skip
    return small(**{"settings": [made], "sampling": {"max_tokens": 6}, **changes})


def marks(folder: Path) -> dict[str, tuple[int, int]]:
    """Per finished artifact, what changes when it is made again."""
    found = {}
    for record in sorted((folder / "artifacts").glob("*/record.json")):
        if "." in record.parent.name:  # half written, or set aside
            continue
        stat = record.stat()
        found[record.parent.name] = (stat.st_ino, stat.st_mtime_ns)
    return found


def set_environment(values: dict[str, str]) -> None:
    """What a child sets before it runs a study."""
    os.environ.update(values)


class Heard(Progress):
    """Remembers what it was told."""

    def __init__(self):
        self.said, self.tables, self.stages, self.shares = [], [], [], []

    def stage(self, label):
        self.stages.append(label)

    def say(self, message):
        self.said.append(message)

    def table(self, setting, frame):
        self.tables.append((setting, len(frame)))

    def left(self, share, seconds):
        assert 0 <= share <= 1 and seconds >= 0
        self.shares.append(share)


def same_table(one: Study, other: Study) -> None:
    """Assert that two studies say the same."""
    pd.testing.assert_frame_equal(one.leakage(), other.leakage())
