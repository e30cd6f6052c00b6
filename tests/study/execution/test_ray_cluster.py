"""Where workers sit on a Ray cluster."""

from __future__ import annotations

import pytest

from caveat.errors import CaveatError
from caveat.study.execution.ray_cluster import seats


def node(name, alive=True, **resources):
    return {
        "NodeID": name, "NodeManagerHostname": f"host-{name}", "Alive": alive,
        "Resources": {"memory": 1.0, **resources},
    }  # fmt: skip


def places(*nodes, **asked):
    return [(seat.node, seat.cores, seat.gpu) for seat in seats(nodes, **asked)]


def test_without_gpus_a_node_is_a_seat_or_each_share_of_its_cores():
    nodes = node("head"), node("a", CPU=8.0), node("b", CPU=3.0), node("gone", False, CPU=8.0)
    assert places(*nodes) == [("a", 8, False), ("b", 3, False)]
    assert places(*nodes, cores=2) == [("a", 2, False)] * 4 + [("b", 2, False)]
    assert places(*nodes, cores=4) == [("a", 4, False)] * 2
    assert len(set(seats(nodes, cores=2))) == 5


def test_each_gpu_is_a_seat_and_nodes_without_one_get_none():
    nodes = node("a", CPU=8.0, GPU=2.0), node("b", CPU=4.0)
    assert places(*nodes) == [("a", 4, True)] * 2
    assert places(*nodes, device="cpu") == [("a", 8, False), ("b", 4, False)]


def test_a_cluster_without_seats_is_told():
    with pytest.raises(CaveatError) as error:
        seats([node("a", CPU=8.0)], device="cuda")
    assert str(error.value) == (
        "device 'cuda': the Ray cluster has no GPU (1 nodes); use device auto or cpu"
    )
    with pytest.raises(CaveatError) as error:
        seats([node("a", CPU=2.0), node("b")], cores=4)
    assert str(error.value) == (
        "executor 'ray': none of the cluster's 2 nodes has room for a worker with 4 cores "
        "(worker_cores); start nodes with: ray start --address ... --num-cpus N"
    )
