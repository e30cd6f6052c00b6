"""The benchmark of a whole study, on toys: it counts every kind of work, and tells what failed."""

from __future__ import annotations

import importlib.util

import pytest

from paths import BENCH
from toy_study import rl_recipe, small


@pytest.fixture
def timed_study(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    spec = importlib.util.spec_from_file_location("bench_study", BENCH / "study.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.timed_study


def test_trained_and_policies_tokens_are_counted(timed_study):
    trained, policies = timed_study("one", small(), ()), timed_study("two", rl_recipe(), ())
    assert trained["train_tokens"] > 0 == trained["rl_tokens"]
    assert policies["rl_tokens"] > 0 == policies["train_tokens"]
    assert trained["adapters"] == policies["adapters"] == 2


def test_a_study_with_failed_cells_is_no_figure(timed_study):
    with pytest.raises(SystemExit, match="one: 2 cells failed"):
        wild = ("learning_rate=1e30", "clip=1e30", "epochs=3")
        timed_study("one", small(), tuple(f"settings.0.dose.{item}" for item in wild))
