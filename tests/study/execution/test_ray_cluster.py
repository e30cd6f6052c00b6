"""Placement and workers of a Ray cluster, in this process; test_ray_executor.py starts clusters."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from caveat.errors import CaveatError
from caveat.progress import Progress
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import RayRecipe, read
from caveat.study.execution.context import worker_context_of
from caveat.study.execution.ray_cluster import Placement, placements
from caveat.study.execution.ray_executor import Worker, portable
from caveat.study.execution.tasks import steps
from caveat.study.planning.study_plan import study_plan
from caveat.study.storage.store import Store
from quick_run import run
from toy_study import marks, small


def node(name, alive=True, **resources):
    return {
        "NodeID": name, "NodeManagerHostname": f"host-{name}", "Alive": alive,
        "Resources": {"memory": 1.0, **resources},
    }  # fmt: skip


def places(*nodes, device="auto", **workers):
    found = placements(nodes, device, RayRecipe(**workers))
    return [(place.node, place.cores, place.gpus) for place in found]


def test_without_gpus_a_node_has_one_worker_or_one_per_share_of_its_cores():
    nodes = node("head"), node("a", CPU=8.0), node("b", CPU=3.0), node("gone", False, CPU=8.0)
    assert places(*nodes) == [("a", 8, 0), ("b", 3, 0)]
    assert places(*nodes, cores=2) == [("a", 2, 0), ("b", 2, 0)] + [("a", 2, 0)] * 3
    assert places(*nodes, cores=4) == [("a", 4, 0)] * 2


def test_a_few_workers_are_spread_over_the_nodes():
    nodes = node("a", CPU=8.0), node("b", CPU=3.0), node("c", CPU=1.0)
    assert places(*nodes, cores=1, workers=4) == [(name, 1, 0) for name in "abca"]
    assert len(places(*nodes, cores=1, workers=99)) == 12


def test_each_gpu_has_a_worker_and_nodes_without_one_have_none():
    nodes = node("a", CPU=8.0, GPU=2.0), node("b", CPU=4.0)
    assert places(*nodes) == [("a", 4, 1)] * 2
    assert places(*nodes, device="cpu") == [("a", 8, 0), ("b", 4, 0)]


def test_workers_share_a_gpu_as_far_as_the_cores_go():
    nodes = node("a", CPU=8.0, GPU=2.0), node("b", CPU=4.0)
    assert places(*nodes, gpus=0.5) == [("a", 2, 0.5)] * 4
    assert places(*nodes, gpus=0.4) == [("a", 2, 0.4)] * 4, "a worker is on one GPU, not on two"
    assert places(*nodes, gpus=0.5, cores=3) == [("a", 3, 0.5)] * 2
    assert places(*nodes, gpus=0.5, device="cpu", cores=8) == [("a", 8, 0)]


@pytest.mark.parametrize(
    ("nodes", "device", "workers", "message"),
    [
        (
            [node("a", CPU=8.0)], "cuda", {},
            "device 'cuda': the Ray cluster has no GPU (1 nodes); use device auto or cpu",
        ),
        (
            [node("a", CPU=2.0), node("b")], "auto", {"cores": 4},
            "executor 'ray': none of the cluster's 2 nodes can hold a worker with 4 cores "
            "(ray.cores); start nodes with: ray start --address ... --num-cpus N",
        ),
        (
            [node("a", CPU=2.0)], "auto", {"gpus": 0.5, "cores": 1},
            "executor 'ray': none of the cluster's 1 nodes can hold a worker with 0.5 GPUs "
            "(ray.gpus) and 1 cores (ray.cores); start nodes with: "
            "ray start --address ... --num-gpus N",
        ),
    ],
)  # fmt: skip
def test_a_cluster_that_can_hold_no_worker_is_one_line(nodes, device, workers, message):
    with pytest.raises(CaveatError) as error:
        placements(nodes, device, RayRecipe(**workers))
    assert str(error.value) == message


def test_a_task_whose_worker_died_is_taken_up_where_it_was(tmp_path):
    made = read(small())
    worker_context = portable(worker_context_of(made, Store(tmp_path), Progress()))
    (setting,) = study_plan(made, resolve(made), worker_context.backend.identity).settings
    (train,) = next(iter(steps(setting)))[1]
    first, rest = train.split()
    worker = Worker(worker_context, Placement("node", "host", 1), 1, Path.cwd())
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
