"""How many adapters are made together."""

from __future__ import annotations

from caveat.backends.local.models.device_memory import (
    BYTES_A_WEIGHT,
    adapter_weights,
    affordable_adapters,
)
from caveat.backends.local.models.loading import load
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.planning.grouping import Grouping, Room, grouping
from caveat.study.planning.study_plan import study_plan
from caveat.types.training import Dose
from toy_study import recipe

GB = 2**30


def sizes(room: Room, **changes) -> list[int]:
    made = read(recipe(seeds=[0, 1, 2], **changes))
    model = load("tiny")
    groups = grouping(made, model.model, lambda: room)
    (setting,) = study_plan(made, resolve(made), model.identity, groups).settings
    return [len(group) for group in setting.groups]


def test_groups_are_as_large_as_memory_and_speed_allow():
    assert sizes(Room(64 * GB, "cpu")) == [8, 1]
    assert sizes(Room(64 * GB, "cuda")) == [9]
    each = adapter_weights(load("tiny").model, Dose(rank=4)) * BYTES_A_WEIGHT
    assert sizes(Room(int(10 * each), "cpu")) == [3, 3, 3]
    assert sizes(Room(1, "cpu")) == [1] * 9


def test_workers_of_a_cluster_each_get_a_group():
    assert sizes(Room(64 * GB, "cuda", workers=4)) == [3, 3, 3]
    assert sizes(Room(64 * GB, "cpu", workers=20)) == [1] * 9


def test_a_size_in_the_recipe_stands_and_memory_is_not_asked():
    made = read(recipe(group_size=5))

    def never() -> Room:
        raise AssertionError("asked")

    assert grouping(made, None, never).size(Dose(), 12) == 5
    assert Grouping().size(None, 12) == 8


def test_an_adapter_of_7_billion_weights_takes_what_was_reckoned():
    """40 million weights, 13.4 GB of 80 taken by the model: as docs/engineering/scale.md says."""
    assert affordable_adapters(40_000_000, 66.6e9, "cuda") == 22
