"""What a study costs, beforehand and under way."""

from __future__ import annotations

import pytest
import torch
from rich.console import Console

from caveat.backends.local.models.device_memory import logits_at_once
from caveat.backends.local.models.loading import load
from caveat.cli.console import plan_table
from caveat.progress import Progress
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.estimate import throughput as speed
from caveat.study.estimate.peak_memory import HighestMark
from caveat.study.estimate.plan_cost import ACTIVATIONS, plan_cost
from caveat.study.execution import meter as cost
from caveat.study.execution.jobs import steps
from caveat.study.execution.meter import Estimator, Meter
from caveat.study.planning.study_plan import study_plan
from caveat.study.run import run
from toy_study import SMALL, rl_recipe, small


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


def test_memory_grows_with_the_tokens_of_a_pass(tmp_path):
    few, more = (
        plan_cost(read(small(token_budget=tokens)), tmp_path, []).memory for tokens in (100, 300)
    )
    config = load("tiny").model.config
    a_token = 4 * ACTIVATIONS * config.num_hidden_layers * config.hidden_size
    assert more - few == 200 * a_token and few > 4 * logits_at_once(torch.device("cpu"))


def test_time_left_is_by_the_rates_seen(monkeypatch):
    told = []
    clock = [0.0]
    monkeypatch.setattr(cost.time, "monotonic", lambda: clock[0])
    for kind, rate in (("train", 130.0), ("score", 600.0)):
        monkeypatch.setitem(cost.RATES, kind, rate)

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
    from caveat.backends.local.models.loading import load

    bad = read(small(), ("settings.0.dose.max_tokens=5",))
    (setting,) = study_plan(bad, resolve(bad), "m").settings
    (train,) = next(iter(steps(setting)))[1]
    assert Estimator(load("tiny").tokenizer).tokens(train) == 0


class Clock:
    """Goes on by a second whenever it is looked at."""

    def __init__(self):
        self.seconds = 0.0

    def perf_counter(self):
        self.seconds += 1
        return self.seconds


def test_calibrated_rates_are_those_of_the_trial(tmp_path, monkeypatch):
    """With a second a step, the rate of training is the tokens of a step of the trial."""

    def planned(**dose):
        monkeypatch.setattr(speed, "time", Clock())
        setting = {**small()["settings"][0], "dose": {**SMALL, "batch_size": 2, **dose}}
        whole = plan_cost(small(settings=[setting]), tmp_path, [], calibrate=True)
        assert whole.calibrated and whole.memory > 0
        return whole.settings[0]

    once = planned()
    step = once.tokens["train"] / 4
    assert once.rates.by_kind["train"] == pytest.approx(step, rel=0.1)
    assert once.rates.again == pytest.approx(step, rel=0.1)
    assert once.rates.by_kind["reply"] == pytest.approx(speed.ASKS * 3 * cost.REPLY_SHARE)
    assert once.rates.by_kind["score"] == pytest.approx(once.tokens["score"])
    answers = 72 / speed.ASKS + 1
    assert once.seconds - answers == pytest.approx(4, rel=0.1)
    assert planned(epochs=2).seconds - answers == pytest.approx(8, rel=0.1)


def test_rows_read_before_go_at_a_rate_of_their_own():
    rates = speed.Rates({"train": 10.0, "reply": 1.0, "score": 1.0}, 20.0)
    assert rates.seconds({"train": 100.0, "reply": 2.0, "score": 3.0}, again=40.0) == 6 + 2 + 5


@pytest.fixture
def adapters_tried(monkeypatch):
    """How many adapters each trial of answers had."""
    seen = []
    whole = speed.Trial._answering
    monkeypatch.setattr(
        speed.Trial, "_answering",
        lambda self, asks, adapters: seen.append(len(adapters)) or whole(self, asks, adapters),
    )  # fmt: skip
    return seen


@pytest.mark.parametrize("batch_size", [2, 8])
def test_answers_are_tried_with_what_the_trial_made(tmp_path, adapters_tried, batch_size):
    """Also where its steps were too few to be timed."""
    setting = {**small()["settings"][0], "dose": {**SMALL, "batch_size": batch_size}}
    recipe = small(settings=[setting])
    (planned,) = plan_cost(recipe, tmp_path, [], calibrate=True).settings
    assert set(adapters_tried) == {2} and planned.rates.by_kind["train"] != cost.RATES["train"]


def test_a_training_too_short_to_be_timed_by_its_steps_is_timed_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "time", Clock())
    setting = {**small()["settings"][0], "dose": {**SMALL, "batch_size": 8}}
    (planned,) = plan_cost(small(settings=[setting]), tmp_path, [], calibrate=True).settings
    assert planned.rates.by_kind["train"] == pytest.approx(planned.tokens["train"])
    assert planned.rates.again == planned.rates.by_kind["train"]


@pytest.mark.parametrize("recipe", [small(), rl_recipe()], ids=["trained", "practised"])
def test_answers_that_are_left_are_tried_with_what_there_is(
    tmp_path, monkeypatch, adapters_tried, recipe
):
    """All is trained, no answer is there: nothing is trained for the plan."""
    study = run(recipe, tmp_path)
    for chunk in sorted((study.folder / "answers").glob("*.jsonl")):
        chunk.unlink()
    for name in ("_training", "_practice_of"):
        monkeypatch.setattr(speed.Trial, name, None)
    (planned,) = plan_cost(recipe, tmp_path, [], calibrate=True).settings
    assert set(adapters_tried) == {2} and planned.trained == 0 and planned.seconds > 0


def test_memory_counts_a_training_that_is_too_short_to_be_timed(tmp_path, monkeypatch):
    counted = []
    monkeypatch.setattr(
        HighestMark, "of_training", lambda self, peak, jobs, nodes: counted.append(len(nodes))
    )
    setting = {**small()["settings"][0], "dose": {**SMALL, "batch_size": 8}}
    plan_cost(small(settings=[setting]), tmp_path, [], calibrate=True)
    assert counted == [2]


def test_what_is_told_of_rates_is_what_there_is_to_do(tmp_path):
    to = Console(width=400)
    with to.capture() as plain:
        to.print(plan_table(plan_cost(small(), tmp_path, [], calibrate=True)))
    with to.capture() as practised:
        to.print(plan_table(plan_cost(rl_recipe(), tmp_path, [], calibrate=True)))
    assert "tokens a second: training" in plain.get() and "rl" not in plain.get()
    assert "tokens a second: practice" in practised.get() and "training" not in practised.get()
