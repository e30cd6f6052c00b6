"""Trials of practice: what updates take, those that are tried and those that are not."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch

from caveat.backends.local.models.loading import load
from caveat.backends.local.rl.grpo_trainer import train_rl
from caveat.backends.local.training.jobs import RLJob
from caveat.environments.grader import grades
from caveat.progress import Progress
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.estimate import throughput as practice_speed
from caveat.study.estimate.plan_cost import plan_cost
from caveat.study.estimate.throughput import PATIENCE, UPDATES, try_practice
from caveat.study.execution import meter as cost
from caveat.study.execution.jobs import steps
from caveat.study.planning.study_plan import study_plan
from toy_study import RL, VOWELS, rl_recipe

SIX = {"updates": 6, "every": 3}


class Waiting:
    """A clock that is looked at in pairs, as around an update: the seconds between are given."""

    def __init__(self, took):
        self.took, self.seconds, self.looks = iter(took), 0.0, 0

    def perf_counter(self):
        self.looks += 1
        if self.looks % 2 == 0:
            self.seconds += next(self.took)
        return self.seconds


def seconds(planned):
    return planned.tokens["practise"] / planned.rates.by_kind["practise"]


@pytest.mark.parametrize(
    ("took", "expected"),
    [([8, 3, 2, 1], 8 + 3 + 2 + 1 + 2 * 1), ([PATIENCE / 2, PATIENCE / 2], 3 * PATIENCE)],
)
def test_updates_that_are_not_tried_go_as_the_last_that_was(tmp_path, monkeypatch, took, expected):
    monkeypatch.setattr(practice_speed, "time", Waiting(took))
    recipe = rl_recipe(SIX)
    (planned,) = plan_cost(recipe, tmp_path, [], calibrate=True).settings
    assert seconds(planned) == pytest.approx(expected)
    assert planned.rates.by_kind["train"] == cost.RATES["train"] and planned.tokens["train"] == 0
    assert planned.seconds == planned.rates.seconds(planned.tokens, 0.0)


def test_only_updates_that_are_left_are_counted(tmp_path, monkeypatch):
    """The second setting has the first three of its six from the first."""
    monkeypatch.setattr(practice_speed, "time", Waiting([8, 4, 2, 6, 5, 2, 1]))
    (setting,) = rl_recipe()["settings"]
    settings = [{**setting, "rl": {**RL, **SIX, "max_steps": n}} for n in (3, 6)]
    recipe = rl_recipe(settings=settings)
    first, second = plan_cost(recipe, tmp_path, [], calibrate=True).settings
    assert first.tokens["practise"] == second.tokens["practise"]
    assert [seconds(each) for each in (first, second)] == pytest.approx([8 + 4 + 2, 3 * 1])


def test_what_is_alike_is_tried_once(tmp_path, monkeypatch):
    monkeypatch.setattr(practice_speed, "time", Waiting([8, 4, 2, 1]))
    (setting,) = rl_recipe()["settings"]
    settings = [{**setting, "rl": {**RL, "max_steps": n, "save_steps": n}} for n in (UPDATES, 6)]
    recipe = rl_recipe(settings=settings)
    planned = plan_cost(recipe, tmp_path, [], calibrate=True).settings
    assert [seconds(each) for each in planned] == pytest.approx([15, 17])


def test_a_trial_does_what_one_practice_of_as_many_updates_does():
    made = read(rl_recipe({**SIX, "every": 6}))
    (setting,) = study_plan(made, resolve(made), "m").settings
    (rl,) = next(iter(steps(setting)))[1]
    tiny = load("tiny")
    tried = try_practice(tiny, rl.nodes, UPDATES, None)
    assert len(tried.seconds) == UPDATES and tried.policies == 2
    if sys.platform == "linux":
        assert tried.first.taken is not None
    four = [replace(node.stage, rl=replace(node.stage.rl, max_steps=UPDATES)) for node in rl.nodes]
    jobs = [RLJob(n.digest, s, n.seed) for s, n in zip(four, rl.nodes, strict=True)]
    at_once = train_rl(tiny, jobs, grades, Progress())
    for adapter, other in zip(tried.adapters, at_once, strict=True):
        for name, pair in adapter.weights.items():
            for one, two in zip(pair, other.training_state.adapter.weights[name], strict=True):
                assert torch.allclose(one, two, atol=1e-5)


def test_warm_ups_and_practice_are_tried_apart(tmp_path):
    warm_up = {"rows": 6, "dose": {"epochs": 2, "batch_size": 1, "rank": 4}}
    dose = {"rows": 4, "batch_size": 2, "rank": 4, "learning_rate": 2e-2}
    recipe = rl_recipe(setting={"warm_up": warm_up, "dose": dose})
    (planned,) = plan_cost(recipe, tmp_path, [], calibrate=True).settings
    rates = planned.rates.by_kind
    for kind in ("train", "practise"):
        assert planned.tokens[kind] > 0 and rates[kind] != cost.RATES[kind]
    assert rates["train"] != rates["practise"] and planned.rates.again != cost.RATES["train"]
    assert planned.trained == planned.tokens["train"] + planned.tokens["practise"]
    assert planned.adapters == 5  # the warm-up, and two policies in two parts each


FAILING = """
SEEN = set()
usual = reward
def reward(prompt, reply):
    SEEN.add(prompt)
    if len(SEEN) > {most}:
        raise ValueError("no grade")
    return usual(prompt, reply)
"""


@pytest.mark.parametrize(("most", "is_tried"), [(0, False), (3, True)])
def test_policies_that_fail_leave_what_was_seen_before(tmp_path, most, is_tried):
    """In the first update of three prompts, and in the second."""
    task = tmp_path / "failing.py"
    task.write_text(VOWELS.read_text() + FAILING.format(most=most))
    recipe = rl_recipe(setting={"behaviour": str(task)})
    (planned,) = plan_cost(recipe, tmp_path / "study", [], calibrate=True).settings
    assert (planned.rates.by_kind["practise"] != cost.RATES["practise"]) is is_tried
