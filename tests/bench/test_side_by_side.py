"""What benchmarks write: keys that a script outside can rely on, and the measures of a process."""

from __future__ import annotations

import importlib
import json
import sys

import pytest

from paths import BENCH, DOCS

KEYS = {"name", "seconds", "spread", "ratio", "limit_share"}
TOP = {"schema", "benchmark", "date", "device", "dtype", "options", "machine", "figures"}


@pytest.fixture
def bench(monkeypatch):
    """Imports a benchmark by its name."""
    monkeypatch.syspath_prepend(str(BENCH))
    own = {path.stem for path in BENCH.glob("*.py")}
    for name in own & sys.modules.keys():
        monkeypatch.delitem(sys.modules, name)
    yield importlib.import_module
    for name in own & sys.modules.keys():
        del sys.modules[name]


SMALL = ["--model", "tiny", "--quick"]
RUNS = {
    "training": [*SMALL, "--rows", "chat", "--adapters", "2", "--batch", "2"],
    "sampling": [*SMALL, "--adapters", "1", "--questions", "2", "--contexts", "1", "--tokens", "3"],
    "grpo": [*SMALL, "--alone", "--prompts", "1", "--generations", "2", "--tokens", "3"],
}


@pytest.mark.filterwarnings("ignore")  # of transformers, from within PEFT and Trainer
@pytest.mark.parametrize("name", RUNS)
def test_a_record_has_the_keys_of_the_schema(bench, name, tmp_path, capsys):
    out = tmp_path / "out.json"
    bench(name).main([*RUNS[name], "--out", str(out)])
    record = json.loads(out.read_text())
    assert record.keys() == TOP and record["schema"] == 1 and record["benchmark"] == name
    bench("side_by_side").check(record)
    output = capsys.readouterr().out
    for figure in record["figures"]:
        assert figure.keys() >= KEYS and figure["seconds"] > 0 and figure["spread"] == 0
        assert (figure["ratio"] is None) == (name == "grpo")
        assert (figure["limit_share"] is None) == (name != "training")
        assert f"| {figure['name']} |" in output or name == "training"


def test_every_benchmark_of_speed_writes_that_record(bench):
    """And the page about speed names each of them with its command."""
    page = (DOCS / "engineering" / "speed.md").read_text("utf-8")
    names = [
        path.stem for path in BENCH.glob("*.py") if "    publish(record(" in path.read_text("utf-8")
    ]
    assert {*names} >= {"training", "sampling", "grpo", "study", "plan", "large", "report"}
    missing = [name for name in names if f"bench/{name}.py" not in page]
    assert missing == [] and "bench/gpu.sh" in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seconds": "3"}, "a: seconds is '3' and not a number or null"),
        ({"ratio": float("nan")}, "a: ratio is nan and not 0 or more"),
        ({"limit_share": -0.5}, "a: limit_share is -0.5 and not 0 or more"),
        ({"name": ""}, "figures must have names of their own, not ['']"),
    ],
)
def test_a_bad_figure_is_refused(bench, changes, message):
    side_by_side = bench("side_by_side")
    figure = {**side_by_side.figure("a", side_by_side.Timing((1.0, 3.0))), **changes}
    with pytest.raises(ValueError) as caught:
        side_by_side.check({"schema": 1, "figures": [figure]})
    assert str(caught.value) == message


def test_a_process_is_measured_alone_and_ended_at_its_limit(bench):
    process = bench("side_by_side").process
    large = process([sys.executable, "-c", "x = b'1' * 200_000_000; print(len(x))"], 60)
    small = process([sys.executable, "-c", "import os; print(os.environ['OWN'])"], 60, OWN="here")
    assert (large.status, large.output.strip()) == (0, "200000000")
    assert (small.status, small.output.strip()) == (0, "here")
    assert large.peak_mb > 190 > 2 * small.peak_mb > 0
    assert 0 < small.processor <= small.wall + 0.5
    endless = process([sys.executable, "-c", "while True: pass"], 0.3)
    assert endless.status < 0 and endless.wall < 30
