"""How many adapters are made together."""

from __future__ import annotations

from dataclasses import replace

from caveat.backends.capacity import BYTES_A_WEIGHT, Capacity, least
from caveat.backends.local.backend import LocalBackend
from caveat.backends.local.lora.stacked import adapted_modules
from caveat.backends.local.models.device_memory import adapter_bytes
from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.planning.grouping import Grouping, grouping
from caveat.study.planning.study_plan import study_plan
from caveat.types.training import Dose
from toy_study import recipe

GB = 2**30
TINY = LocalBackend.load("tiny")


def capacity(free: int, most: int, workers: int = 1) -> Capacity:
    """Of a device with the tiny model and so much free memory."""
    return replace(
        TINY.capacity(), adapter_bytes=adapter_bytes(free), most_adapters=most, workers=workers
    )


def sizes(available: Capacity) -> list[int]:
    made = read(recipe(seeds=[0, 1, 2]))
    groups = grouping(made, lambda: available)
    (setting,) = study_plan(made, resolve(made), TINY.identity, groups).settings
    return [len(group) for group in setting.groups]


def test_groups_are_as_large_as_memory_and_speed_allow():
    assert sizes(capacity(64 * GB, 8)) == [8, 1]
    assert sizes(capacity(64 * GB, 32)) == [9]
    each = TINY.capacity().weights(Dose(rank=4)) * BYTES_A_WEIGHT
    assert sizes(capacity(int(10 * each), 8)) == [3, 3, 3]
    assert sizes(capacity(1, 8)) == [1] * 9


def test_weights_of_an_adapter_are_those_of_its_modules():
    model = TINY.language_model.model
    for layers in ((0.0, 1.0), (0.5, 1.0), (0.0, 0.5)):
        linear = map(model.get_submodule, adapted_modules(model, layers))
        expected = sum(3 * (module.in_features + module.out_features) for module in linear)
        assert TINY.capacity().weights(Dose(rank=3, layers=layers)) == expected > 0


def test_workers_of_a_cluster_each_get_a_group():
    assert sizes(capacity(64 * GB, 32, workers=4)) == [3, 3, 3]
    assert sizes(capacity(64 * GB, 8, workers=20)) == [1] * 9
    small, large = capacity(GB, 8), capacity(2 * GB, 8)
    assert least([large, small, large]) == replace(small, workers=3)


def test_many_settings_keep_workers_busy_with_larger_groups_and_few_with_smaller_ones():
    available = capacity(64 * GB, 32, workers=2)

    def parts(settings: int) -> int:
        made = recipe(settings=recipe()["settings"] * settings)
        return grouping(read(made), lambda: available).parts

    assert [parts(count) for count in (1, 3, 4, 7, 8, 20)] == [2, 2, 2, 2, 1, 1]
    sizes = {(count, parts): Grouping(parts=parts).answers(count) for count in (40, 200, 900)
             for parts in (1, 2, 8)}  # fmt: skip
    assert sizes == {
        (40, 1): 40, (40, 2): 32, (40, 8): 32, (200, 1): 200, (200, 2): 100, (200, 8): 32,
        (900, 1): 256, (900, 2): 256, (900, 8): 113,
    }  # fmt: skip


def test_where_memory_is_no_limit_speed_is():
    assert Capacity(most_adapters=4).adapters(Dose()) == 4
    assert sizes(Capacity()) == [1] * 9


def test_a_size_in_the_recipe_stands_and_memory_is_not_asked():
    made = read(recipe(group_size=5))

    def never() -> Capacity:
        raise AssertionError("asked")

    assert grouping(made, never).size(Dose(), 12) == 5
    assert Grouping().size(None, 12) == 8


def test_an_adapter_of_7_billion_weights_takes_what_was_reckoned():
    """40 million weights, 13.4 GB of 80 taken by the model: as docs/engineering/scale.md says."""
    available = Capacity((2_500_000,), adapter_bytes(int(66.6e9)), 32)
    assert available.adapters(Dose(rank=16)) == 22
