"""Tokens counted before a run, and rates and the time left during it."""

from __future__ import annotations

import pytest

from caveat.backends.local.models.loading import load
from caveat.progress import Progress
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.estimate.plan_cost import plan_cost
from caveat.study.execution import meter as metering
from caveat.study.execution.meter import DEFAULT_RATES, Estimator, Meter
from caveat.study.execution.tasks import steps
from caveat.study.planning.study_plan import study_plan
from quick_run import run
from toy_study import rl_recipe, small


class Left(Progress):
    """Collects shares and seconds left, and the names of stages in between."""

    def __init__(self):
        self.reports = []

    def left(self, share, seconds):
        self.reports.append((share, pytest.approx(seconds)))

    def stage(self, label):
        self.reports.append(label)


@pytest.fixture
def clock(monkeypatch):
    """The seconds that the meter sees, in a list of one."""
    seconds = [0.0]
    monkeypatch.setattr(metering.time, "monotonic", lambda: seconds[0])
    return seconds


def jobs_of(recipe):
    """The jobs of the first stage, and of the last."""
    (setting,) = study_plan(read(recipe), resolve(read(recipe)), "m").settings
    stages = [jobs for _, jobs in steps(setting)]
    return stages[0], stages[-1]


def test_time_left_is_by_the_rates_measured(clock):
    (train,), answers = jobs_of(small())
    progress = Left()
    meter = Meter(progress, {**DEFAULT_RATES, "train": 130.0, "score": 600.0})
    meter.costs = {train.keys[0]: ("train", 1300.0), answers[0].keys[0]: ("score", 600.0)}
    meter.begin(train)
    assert progress.reports[-1] == (0.0, 11.0)
    clock[0] = 10.0
    meter.advance("train", 1000)
    assert progress.reports[-1] == (pytest.approx(10 / 14), 4.0)
    meter.end(train)
    assert progress.reports[-1] == (pytest.approx(10 / 11), 1.0)
    assert meter.measured == {"train": (1000.0, 10.0)}
    meter.drop([answers[0].keys[0]])
    assert progress.reports[-1] == (1.0, 0.0)


def test_rates_of_replies_are_in_estimated_tokens_since_replies_end_early(clock):
    """Two jobs of 900 estimated tokens each; the first takes 10 s for 100 real ones."""
    (rl,), answers = jobs_of(rl_recipe())
    first = next(job for job in answers if job.kind == "reply")
    progress = Left()
    meter = Meter(progress)
    meter.costs = {first.keys[-1]: ("reply", 900.0), "other": ("reply", 900.0)}
    meter.begin(first)
    clock[0] = 10.0
    meter.advance("reply", 100)
    meter.end(first)
    assert meter.measured == {"reply": (900.0, 10.0)} and progress.reports[-1] == (0.5, 10.0)
    meter.costs[rl.keys[0]] = ("rl", 500.0)
    meter.end_elsewhere(rl, 5.0)
    assert meter.measured["rl"] == (500.0, 5.0) and meter.rates()["rl"] == 100.0


def test_a_job_of_which_a_part_failed_has_no_rate_of_replies(clock):
    _, answers = jobs_of(rl_recipe())
    first = next(job for job in answers if job.kind == "reply")
    meter = Meter(Progress())
    for end in (
        lambda: meter.end(first, failed=True),
        lambda: meter.end_elsewhere(first, 10.0, True),
    ):
        meter.costs = {first.keys[0]: ("reply", 900.0)}
        meter.begin(first)
        clock[0] += 10.0
        end()
    assert meter.measured == {} and meter.rates() == DEFAULT_RATES and meter.spent >= 20.0


def test_time_left_is_right_where_part_of_a_group_was_made_before(tmp_path):
    """What is left of the group of adapters starts with another key than the group."""
    run(small(arms=["base", "bare"]), tmp_path)
    plan = plan_cost(read(small()), tmp_path, [])
    answers = plan.rates.seconds({**plan.settings[0].tokens, "train": 0.0})
    progress = Left()
    run(small(), tmp_path, progress)
    before_answers = progress.reports.index("toy x password: answers") - 1
    assert progress.reports[before_answers][1] == answers


def test_a_row_that_cannot_be_rendered_costs_nothing():
    (train,), _ = jobs_of(read(small(), ("settings.0.dose.max_tokens=5",)))
    assert Estimator(load("tiny").tokenizer).tokens(train) == 0
