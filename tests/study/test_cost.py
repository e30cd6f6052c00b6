"""What a study costs, beforehand and under way."""

from __future__ import annotations

import pytest

from caveat.progress import Progress
from caveat.study import cost
from caveat.study.cost import Estimator, Meter
from caveat.study.plan_cost import plan_cost
from caveat.study.planning import study_plan
from caveat.study.recipe import read
from caveat.study.resolve import resolve
from caveat.study.run import run
from caveat.study.todo import steps
from toy_study import small


class Tokens(Progress):
    """Adds up what it hears."""

    def __init__(self):
        self.kinds = dict.fromkeys(cost.KINDS, 0)

    def advance(self, kind, tokens):
        self.kinds[kind] += tokens


def test_training_and_scoring_are_counted_exactly_and_replies_at_most(tmp_path):
    heard = Tokens()
    run(small(), tmp_path / "study", heard)
    (planned,) = plan_cost(read(small()), tmp_path / "nothing", []).settings
    assert planned.tokens["train"] == heard.kinds["train"]
    assert planned.tokens["score"] == heard.kinds["score"]
    assert 0 < heard.kinds["reply"] <= planned.tokens["reply"] / cost.REPLY_SHARE
    assert (planned.cells, planned.adapters, planned.answers) == (3, 2, 3 * (24 + 6))


def test_what_is_finished_costs_nothing(tmp_path):
    run(small(), tmp_path)
    done = plan_cost(read(small()), tmp_path, [])
    assert done.settings[0].seconds == 0 and done.disk == 0 and done.memory > 0


def test_time_left_is_by_the_rates_seen(monkeypatch):
    told = []
    clock = [0.0]
    monkeypatch.setattr(cost.time, "monotonic", lambda: clock[0])

    class Told(Progress):
        def left(self, share, seconds):
            told.append((share, seconds))

    (setting,) = study_plan(read(small()), resolve(read(small())), "m").settings
    (train,), answers = (tasks for _, tasks in steps(setting))
    meter = Meter(Told())
    meter.costs = {train.keys[0]: ("train", 1300.0), answers[0].keys[0]: ("score", 600.0)}
    meter.begin(train)
    assert told[-1] == (0.0, pytest.approx(11.0))
    clock[0] = 10.0
    meter.advance("train", 1000)
    assert told[-1] == (pytest.approx(10 / 14), pytest.approx(4.0))
    meter.end(train)
    assert told[-1] == (pytest.approx(10 / 11), pytest.approx(1.0))
    meter.drop([answers[0].keys[0]])
    assert told[-1] == (1.0, 0.0)


def test_time_left_is_right_where_part_of_a_group_was_made_before(tmp_path):
    """What is left of the group of adapters starts with another key than the group."""
    run(small(arms=["base", "bare"]), tmp_path)
    (planned,) = plan_cost(read(small()), tmp_path, []).settings
    answers = cost.seconds({**planned.tokens, "train": 0.0})
    told = []

    class Told(Progress):
        def left(self, share, seconds):
            told.append(seconds)

        def stage(self, label):
            told.append(label)

    run(small(), tmp_path, Told())
    assert told[told.index("toy x password: answers") - 1] == pytest.approx(answers)


def test_a_row_that_cannot_be_rendered_costs_nothing():
    from caveat.language.source import load

    bad = read(small(), ("settings.0.dose.max_tokens=5",))
    (setting,) = study_plan(bad, resolve(bad), "m").settings
    (train,) = next(iter(steps(setting)))[1]
    assert Estimator(load("tiny").tokenizer).tokens(train) == 0
