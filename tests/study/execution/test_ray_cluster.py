"""Placement and workers of a Ray cluster, in this process; test_ray_executor.py starts clusters."""

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
from caveat.study.execution.ray_cluster import placements
from caveat.study.execution.ray_executor import Worker, portable
from caveat.study.planning.study_plan import study_plan
from caveat.study.run import run
from caveat.study.storage.store import Store
from toy_study import marks, small


def node(name, alive=True, **resources):
    return {
        "NodeID": name, "NodeManagerHostname": f"host-{name}", "Alive": alive,
        "Resources": {"memory": 1.0, **resources},
    }  # fmt: skip


def places(*nodes, **options):
    return [(place.node, place.cores, place.gpu) for place in placements(nodes, **options)]


def test_without_gpus_a_node_has_one_worker_or_one_per_share_of_its_cores():
    nodes = node("head"), node("a", CPU=8.0), node("b", CPU=3.0), node("gone", False, CPU=8.0)
    assert places(*nodes) == [("a", 8, False), ("b", 3, False)]
    assert places(*nodes, cores=2) == [("a", 2, False)] * 4 + [("b", 2, False)]
    assert places(*nodes, cores=4) == [("a", 4, False)] * 2


def test_each_gpu_has_a_worker_and_nodes_without_one_have_none():
    nodes = node("a", CPU=8.0, GPU=2.0), node("b", CPU=4.0)
    assert places(*nodes) == [("a", 4, True)] * 2
    assert places(*nodes, device="cpu") == [("a", 8, False), ("b", 4, False)]


def test_a_cluster_that_can_hold_no_worker_is_one_line():
    with pytest.raises(CaveatError) as error:
        placements([node("a", CPU=8.0)], device="cuda")
    assert str(error.value) == (
        "device 'cuda': the Ray cluster has no GPU (1 nodes); use device auto or cpu"
    )
    with pytest.raises(CaveatError) as error:
        placements([node("a", CPU=2.0), node("b")], cores=4)
    assert str(error.value) == (
        "executor 'ray': none of the cluster's 2 nodes can hold a worker with 4 cores "
        "(worker_cores); start nodes with: ray start --address ... --num-cpus N"
    )


def test_a_task_whose_worker_died_is_taken_up_where_it_was(tmp_path):
    made = read(small())
    worker_context = portable(worker_context_of(made, Store(tmp_path), Progress()))
    (setting,) = study_plan(made, resolve(made), worker_context.backend.identity).settings
    (train,) = next(iter(steps(setting)))[1]
    first, rest = train.split()
    worker = Worker(worker_context, 1, 1, Path.cwd())
    assert worker.attempt(first, again=False)[0].failures == ()
    before = marks(tmp_path)
    assert worker.attempt(train, again=True) == worker.attempt(rest, again=True)
    assert before.items() < marks(tmp_path).items() and len(marks(tmp_path)) == 2


def test_where_ray_is_not_installed_that_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CaveatError) as error:
        run(small(), tmp_path, executor="ray")
    assert str(error.value) == (
        "executor 'ray': Ray is not installed; install it with: "
        "pip install 'caveat[ray]', or use the executor local"
    )
