"""`caveat sandbox`: what isolates model-written code here, and a call of a file."""

from __future__ import annotations

import json

import pytest

SOURCE = "def add(x, y):\n    return x, [y]\n"


@pytest.fixture
def solution(tmp_path):
    path = tmp_path / "solution.py"
    path.write_text(SOURCE, "utf-8")
    return str(path)


def test_layers(command):
    status, out, _ = command("sandbox")
    lines = out.splitlines()
    assert status == 0 and lines[0].startswith("yes  gate: ordinary Python only: ")
    status, out, _ = command("sandbox", "--json")
    layers = json.loads(out)
    assert layers["process"] and layers["limits"]
    assert lines[-1].startswith("all layers" if all(layers.values()) else "lost on this system: ")


def test_a_call(command, solution):
    assert command("sandbox", solution, "add(2, 'a')") == (0, "returned: (2, ['a'])\n", "")
    assert command("sandbox", solution, "add(2)")[:2] == (
        0, "raised: TypeError: add() missing 1 required positional argument: 'y'\n",
    )  # fmt: skip
    _, out, _ = command("sandbox", solution, "add(2, 3)", "--json")
    assert json.loads(out) == {"status": "returned", "value": "(2, [3])", "message": ""}


def test_the_gate_alone(command, solution, tmp_path):
    assert command("sandbox", solution)[:2] == (0, "not refused\n")
    (tmp_path / "bad.py").write_text("import os", "utf-8")
    assert command("sandbox", str(tmp_path / "bad.py"))[:2] == (
        0, "refused: line 1: the module os cannot be imported\n",
    )  # fmt: skip


@pytest.mark.parametrize("call", ["add(2, x)", "add", "add(", "add(y=2)", "a.add(2)"])
def test_a_call_that_is_none(command, solution, call):
    assert command("sandbox", solution, call) == (
        1, "",
        f"caveat: the call {call!r}: write a name and plain values, as in 'add(2, [3])'\n",
    )  # fmt: skip
