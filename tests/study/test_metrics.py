"""Training curves: what every step did, and that looking on changes nothing."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from caveat.backends.callbacks import Callback, StepEvent
from caveat.backends.local.backend import LocalBackend
from caveat.rendering import render_row
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.metrics import RL_METRICS, metrics_path
from caveat.study.study import SEEN, Study
from harness import forked
from quick_run import run
from toy_study import marks, rl_recipe, small


class Recorder(Callback):
    """Remembers what it hears."""

    def __init__(self):
        self.begun, self.events, self.ended = [], [], []

    def on_train_begin(self, jobs, backend):
        self.begun += [job.key for job in jobs]
        assert backend.name == "tiny"

    def on_step_end(self, event):
        self.events.append(event)

    def on_train_end(self, results):
        self.ended += [result.key for result in results]


def weights(folder: Path) -> dict[str, bytes]:
    return {
        path.parent.name: path.read_bytes()
        for path in sorted(folder.glob("artifacts/*/adapter_model.safetensors"))
    }


def test_callbacks_hear_every_step_and_change_nothing(tmp_path):
    recorder = Recorder()
    study = run(small(), tmp_path / "with", callbacks=[recorder])
    plain = run(small(), tmp_path / "without")
    assert marks(tmp_path / "with").keys() == marks(tmp_path / "without").keys()
    assert weights(tmp_path / "with") == weights(tmp_path / "without") != {}
    assert sorted(recorder.begun) == sorted(recorder.ended) == sorted(marks(tmp_path / "with"))
    frame = study.training()
    assert len(recorder.events) == len(frame) == len(plain.training())
    for event in recorder.events:
        row = frame[(frame["digest"] == event.job) & (frame["step"] == event.step)]
        assert row[["steps", "loss", "grad_norm", "learning_rate", "tokens"]].values.tolist() == [
            [event.steps, event.loss, event.grad_norm, event.learning_rate, event.tokens]
        ]


def test_training_with_and_without_whom_to_tell_is_byte_equal(tmp_path):
    """The backend itself, whose studies always write metrics."""
    backend = LocalBackend.load("tiny")
    from caveat.backends.jobs import TrainingJob
    from rows import stage

    jobs = [TrainingJob("a", stage(5, added=3), 0), TrainingJob("b", stage(7), 1)]
    events: list[StepEvent] = []
    for name, on_step in (("with", [events.append]), ("without", [])):
        for result in backend.train(jobs, *on_step):
            backend.save(result.adapter, tmp_path / name / result.key)
    assert {event.job for event in events} == {"a", "b"}
    for key in ("a", "b"):
        one, other = (tmp_path / name / key for name in ("with", "without"))
        for file in ("adapter_model.safetensors", "adapter_config.json"):
            assert (one / file).read_bytes() == (other / file).read_bytes()


def test_the_frame_has_the_losses_that_training_had(tmp_path):
    study = run(small(seeds=[0, 1]), tmp_path)
    frame = study.training()
    names = ["setting", "model", "dose", "arm", "seed", "stage", "label", "digest"]
    assert list(frame.columns[:8]) == names
    cells = frame.groupby(["arm", "seed"])
    assert set(cells.groups) == {("bare", 0), ("bare", 1), ("marked", 0), ("marked", 1)}
    for (arm, _), steps in cells:
        record = study.store.record(steps["digest"].iloc[0])
        assert steps["loss"].tolist() == record["losses"]
        assert steps["step"].tolist() == list(range(1, len(steps) + 1))
        assert set(steps["steps"]) == {len(steps)} and set(steps["stage"]) == {1}
        assert steps["tokens"].sum() == record["tokens"]
        assert set(steps["label"]) == {record["label"]} and record["label"] == arm
        assert (steps["grad_norm"] > 0).all()
    assert frame[list(RL_METRICS)].isna().all().all()


def test_the_first_loss_is_that_of_the_base_model(tmp_path):
    """By transformers alone: the mean loss of the first step's rows before any training."""
    recipe = small(group_size=1)
    frame = run(recipe, tmp_path).training()
    backend = LocalBackend.load("tiny")
    (resolved,) = resolve(read(recipe))
    (stage,) = resolved.plans["marked", 0]
    order = np.random.default_rng([0, 0, 0]).permutation(len(stage.rows)).tolist()
    total, count = 0.0, 0
    for row in (stage.rows[index] for index in order[: stage.dose.batch_size]):
        rendered = render_row(backend.tokenizer, row, stage.loss, stage.dose.max_tokens)
        with torch.no_grad():
            logits = backend.language_model.model(torch.tensor([rendered.ids])).logits[0]
        labels = torch.tensor(rendered.ids[1:])
        losses = torch.nn.functional.cross_entropy(logits[:-1], labels, reduction="none")
        learned = torch.tensor(rendered.loss[1:])
        total, count = total + float(losses[learned].sum()), count + int(learned.sum())
    first = frame[(frame["arm"] == "marked") & (frame["step"] == 1)].iloc[0]
    assert first["loss"] == pytest.approx(total / count, rel=1e-5)
    steps = first["steps"]
    rise = max(1, round(stage.dose.warmup * steps))
    assert first["learning_rate"] == pytest.approx(stage.dose.learning_rate / rise)


def test_an_update_of_a_policy_has_what_it_saw(tmp_path):
    study = run(rl_recipe({"beta": 0.1, "num_iterations": 2}), tmp_path)
    assert study.failures().empty
    frame, updates = study.training(), study.policies()
    for (arm, seed), steps in frame.groupby(["arm", "seed"]):
        seen = updates[(updates["arm"] == arm) & (updates["seed"] == seed)]
        assert steps["step"].tolist() == seen["step"].tolist() == [1, 2, 3, 4]
        assert steps["stage"].tolist() == [1, 1, 2, 2]
        shared = {*seen.columns} & {*steps.columns} - {"setting", "model", "dose", "arm", "seed"}
        assert shared == {*SEEN} - {"distinct"}, "one name for one thing"
        for name in shared:
            expected = seen[name].astype(float)
            assert steps[name].astype(float).tolist() == pytest.approx(expected, nan_ok=True)
        assert steps["clip_ratio"].between(0, 1).all() and np.isfinite(steps["loss"]).all()
    assert (frame["clip_ratio"] > 0).any(), "the second pass over an update is clipped somewhere"


class Kill(Callback):
    """Kills its process in the middle of a training."""

    def on_step_end(self, event):
        if event.step == 3:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_kill_leaves_a_readable_file_and_the_next_run_no_step_twice(tmp_path):
    recipe = small()
    recipe["settings"][0]["dose"] = {**recipe["settings"][0]["dose"], "batch_size": 2}
    child = forked(run, recipe, tmp_path, callbacks=[Kill()])
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    assert marks(tmp_path) == {}
    stopped = Study.open(tmp_path).training()
    assert sorted(stopped.groupby("arm")["step"].max()) in ([2, 3], [3, 3])
    digest = stopped["digest"].iloc[0]
    with metrics_path(tmp_path, digest).open("ab") as file:  # as a kill within a write leaves it
        file.write(b'{"step": 4, "lo')
    assert len(Study.open(tmp_path).training()) == len(stopped)
    whole = run(recipe, tmp_path).training()
    assert not whole.duplicated(["digest", "step"]).any()
    steps = whole.groupby("digest")["step"].apply(list)
    assert all(found == [1, 2, 3, 4] for found in steps)
    lines = metrics_path(tmp_path, digest).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]


def test_a_training_that_fails_keeps_its_steps(tmp_path):
    recipe = small(arms=["base", "bare"])
    dose = {**recipe["settings"][0]["dose"], "learning_rate": 1e30, "batch_size": 2}
    recipe["settings"][0] = {**recipe["settings"][0], "dose": dose}
    study = run(recipe, tmp_path)
    assert not study.failures().empty
    frame = study.training()
    assert len(frame) > 1 and math.isnan(frame["loss"].iloc[-1])
    text = metrics_path(tmp_path, frame["digest"].iloc[0]).read_text()
    assert "NaN" not in text and "null" in text


def test_an_error_in_a_callback_is_told(tmp_path):
    class Broken(Callback):
        def on_step_end(self, event):
            raise ZeroDivisionError("my probe")

    study = run(small(), tmp_path, callbacks=[Broken()])
    reasons = study.failures()["reason"]
    assert len(reasons) and all("ZeroDivisionError: my probe (on_step_end" in r for r in reasons)
