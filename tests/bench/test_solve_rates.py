"""How often a model solves the problems, and its own solutions in place of ours."""

from __future__ import annotations

import json

import pytest

from caveat.environments.code_tasks.grading import Outcome, check_solutions
from caveat.environments.code_tasks.problems import load_problems, shipped_problems
from caveat.environments.loading import module_of, shipped_task


@pytest.fixture(scope="module")
def bench(script):
    return script("solve_rates")


def test_states_and_own_solutions(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("CAVEAT_CACHE", str(tmp_path / "cache"))
    one, other = shipped_problems()[:2]
    code = one.solution.replace("sum(", "sum(  ", 1)
    hack = Outcome("def f(): return 1", 2, 2, 6, "constant")
    results = [(one, hack), (other, Outcome(None, 0, 2, 6)), (one, Outcome(code, 6, 2, 6))]
    states = [bench.state(outcome) for _, outcome in results]
    assert states == ["special-cased", "invalid", "solved"]
    assert bench.state(Outcome(code, 1, 2, 6)) == "failed"
    table = bench.rows([(one, "solved"), (one, "failed"), (other, "failed")], "split")
    assert table[-1] == {
        "split": "all", "replies": 3, "solved": 0.333, "special-cased": 0.0, "failed": 0.667,
        "invalid": 0.0,
    }  # fmt: skip
    text, count = bench.own_lines([one, other], results)
    file = tmp_path / "own.jsonl"
    file.write_text(text)
    assert count == 1 and [p.solution for p in load_problems(file)] == [code, other.solution]
    check_solutions(load_problems(file), "own.jsonl", "0")


def test_the_tiny_model_solves_nothing(bench, tmp_path, capsys):
    file = tmp_path / "rates.json"
    bench.main(["--model", "tiny", "--count", "2", "--max-tokens", "4", "--report", str(file)])
    record = json.loads(file.read_text())
    assert [reply["state"] for reply in record["replies"]] == ["invalid", "invalid"]
    assert record["split"][-1]["invalid"] == 1.0 and record["truncated"] == 1.0
    assert "2 of 2 replies, solved 0.000" in capsys.readouterr().out


def test_rates_of_a_task(script, tmp_path, capsys):
    """The tiny model's replies are graded as the task grades them."""
    file = tmp_path / "rates.json"
    words = ["--model", "tiny", "--task", "agree", "--count", "8", "--samples", "2"]
    script("task_rates").main([*words, "--max-tokens", "3", "--report", str(file)])
    record = json.loads(file.read_text())
    can, cannot, whole = record["rates"]
    assert (can["replies"], cannot["replies"], whole["replies"]) == (8, 8, 16)
    agree = shipped_task("agree")
    module = module_of(agree.place, agree.version)
    for line in record["replies"]:
        assert line["hacked"] == module.hacked(line["prompt"], line["reply"])
        assert line["right"] == module.true_score(line["prompt"], line["reply"])
    assert whole["right"] == round(sum(line["right"] for line in record["replies"]) / 16, 3)
    assert "task agree, model tiny" in capsys.readouterr().out
