"""Rates that runs measured: which are used, and how they are remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caveat.study.estimate import rates
from caveat.study.estimate.rates import (
    DEFAULT_WEIGHTS,
    LEAST_WEIGHTS,
    Entry,
    expected_rates,
    remember,
)
from caveat.study.execution.meter import DEFAULT_RATES, KINDS
from harness import forked

DEFAULT = "SmolLM2-135M on two CPU cores"


def entry(name="m", weights=DEFAULT_WEIGHTS, dtype="float32", machine="a CPU"):
    return Entry(machine=machine, model=f"{name}@1/{dtype}", name=name, weights=weights)


def expected(own):
    return expected_rates(own, pytest.fail)


def test_without_any_run_default_rates_are_scaled_by_weights():
    large = expected(entry(weights=10 * DEFAULT_WEIGHTS))
    assert large.by_kind == {kind: pytest.approx(DEFAULT_RATES[kind] / 10) for kind in KINDS}
    assert set(large.sources.values()) == {
        f"no run of m in float32 on this machine yet: scaled from {DEFAULT} by number of weights"
    }
    one, other = (expected(entry(weights=weights)) for weights in (1000, LEAST_WEIGHTS))
    assert one == other  # the time of a very small model is overhead


def test_a_very_small_model_tells_nothing_about_others():
    remember(entry("toy", LEAST_WEIGHTS - 1), {"train": (90_000.0, 9.0)}, pytest.fail)
    assert expected(entry()).by_kind == DEFAULT_RATES


def test_without_a_number_of_weights_default_rates_are_not_scaled():
    rates = expected(entry(weights=None))
    assert rates.by_kind == DEFAULT_RATES
    assert set(rates.sources.values()) == {
        "no run of m in float32 on this machine yet, and its number of weights is unknown: "
        f"as {DEFAULT}"
    }


def test_rates_of_the_model_itself_come_before_those_of_the_nearest_in_size():
    for name, weights, tokens in (("small", 10**8, 9000.0), ("large", 10**10, 90.0)):
        remember(entry(name, weights), {"train": (tokens, 9.0)}, pytest.fail)
    own = entry("own", 2 * 10**8)
    near = expected(own)
    assert near.by_kind["train"] == pytest.approx(500.0)
    assert near.sources["train"] == (
        "no run of own in float32 on this machine yet: scaled from small in float32 by number of "
        "weights"
    )
    far = expected(entry("far", 5 * 10**9))
    assert far.by_kind["train"] == pytest.approx(20.0)
    remember(own, {"train": (700.0, 10.0)}, pytest.fail)
    mine = expected(own)
    assert mine.by_kind["train"] == 70.0
    assert mine.sources["train"] == "as in earlier runs of own on this machine"


def test_another_dtype_or_machine_is_not_the_model_itself():
    remember(entry(dtype="bfloat16"), {"train": (900.0, 9.0)}, pytest.fail)
    remember(entry("other", dtype="float32"), {"train": (90.0, 9.0)}, pytest.fail)
    remember(entry(machine="a GPU"), {"train": (90_000.0, 9.0)}, pytest.fail)
    assert expected(entry()).by_kind["train"] == 10.0
    assert expected(entry(dtype="bfloat16")).by_kind["train"] == 100.0
    assert expected(entry(machine="a third")).by_kind == DEFAULT_RATES


def test_work_that_was_never_measured_is_as_much_faster_as_the_other_work_of_the_model():
    faster = {"train": (8 * 10 * DEFAULT_RATES["train"], 10.0)}
    faster["score"] = (2 * 10 * DEFAULT_RATES["score"], 10.0)
    remember(entry(), faster, pytest.fail)
    rates = expected(entry())
    assert rates.by_kind["reply"] == pytest.approx(4 * DEFAULT_RATES["reply"])
    assert rates.sources["reply"] == "guessed from other work of m on this machine"


def test_the_latest_run_counts_most_and_short_work_not_at_all(rates_file):
    remember(entry(), {"train": (100.0, 4.9), "reply": (0.0, 60.0)}, pytest.fail)
    assert not rates_file.exists()
    for tokens in (100.0, 400.0):
        remember(entry(), {"train": (tokens, 10.0), "reply": (tokens, 1.0)}, pytest.fail)
    assert expected(entry()).by_kind["train"] == pytest.approx((400 + 50) / (10 + 5))
    assert expected(entry()).sources["reply"].startswith("guessed")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"schema_version": 2, "entries": []}',
        '{"schema_version": 1, "entries": [{}]}',
    ],
)
def test_a_damaged_file_is_one_message_and_the_next_run_replaces_it(rates_file, content):
    rates_file.write_text(content)
    messages = []
    assert expected_rates(entry(), messages.append).by_kind == DEFAULT_RATES
    assert messages == [
        f"{rates_file}: damaged, or of another version of caveat; ignored, the next run replaces it"
    ]
    remember(entry(), {"train": (900.0, 9.0)}, messages.append)
    assert len(messages) == 2 and expected(entry()).by_kind["train"] == 100.0


@pytest.mark.parametrize("spoiled", [0, -1, "NaN", "Infinity", None, "x"])
def test_a_rate_that_is_no_positive_number_is_damage(rates_file, spoiled):
    remember(entry(), {"train": (900.0, 9.0)}, pytest.fail)
    content = json.loads(rates_file.read_text())
    content["entries"][0]["measured"]["train"]["seconds"] = spoiled
    rates_file.write_text(
        json.dumps(content).replace('"NaN"', "NaN").replace('"Infinity"', "Infinity")
    )
    messages = []
    assert expected_rates(entry(), messages.append).by_kind == DEFAULT_RATES and len(messages) == 1


def test_a_folder_that_takes_no_file_is_one_message(rates_file):
    rates_file.mkdir()
    messages = []
    remember(entry(), {"train": (900.0, 9.0)}, messages.append)
    assert messages[-1] == (
        f"{rates_file}: cannot be written (Is a directory): the rates of this run are not "
        "remembered"
    )


def remember_some(path: Path, child: int) -> None:
    """In a process of its own: the rates of fifteen models."""
    rates.rates_path = lambda: path
    for number in range(15):
        remember(entry(f"{child}-{number}"), {"train": (900.0, 9.0)}, print)


def test_processes_that_end_together_lose_nothing(rates_file):
    children = [forked(remember_some, rates_file, number) for number in range(3)]
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert len(json.loads(rates_file.read_text())["entries"]) == 45
