"""What a worker of a cluster does, in this process; the cluster itself is in test_ray.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.execution.context import worker_context_of
from caveat.study.execution.jobs import steps
from caveat.study.execution.ray_worker import Worker, to_send
from caveat.study.planning.study_plan import study_plan
from caveat.study.run import run
from caveat.study.storage.store import Store
from toy_study import marks, small


def test_a_task_whose_worker_died_is_taken_up_where_it_was(tmp_path):
    made = read(small())
    worker_context = to_send(worker_context_of(made, Store(tmp_path), Progress()))
    (setting,) = study_plan(made, resolve(made), worker_context.language_model.identity).settings
    (train,) = next(iter(steps(setting)))[1]
    first, rest = train.halves()
    worker = Worker(worker_context, 1, 1, Path.cwd())
    assert worker.attempt(first, again=False)[0].failures == ()
    before = marks(tmp_path)
    assert worker.attempt(train, again=True) == worker.attempt(rest, again=True)
    assert before.items() < marks(tmp_path).items() and len(marks(tmp_path)) == 2


def test_an_artifact_that_came_twice_is_kept_as_it_was(tmp_path):
    store = Store(tmp_path)
    for text in ("first", "second"):
        store.put([("a", lambda folder, text=text: (folder / "x").write_text(text), {})])
    assert (store.artifact("a") / "x").read_text() == "first"
    assert not list(tmp_path.rglob("*.part"))


def test_where_ray_is_not_installed_that_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CaveatError) as error:
        run(small(), tmp_path, executor="ray")
    assert str(error.value) == (
        "executor 'ray': Ray is not installed; install it with: "
        "pip install 'caveat[ray]', or use the executor local"
    )
