"""examples/probe.py: short, its own study is a recipe that resolves, and it runs on a study."""

from __future__ import annotations

import math
import runpy
import sys

import pytest

from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from paths import EXAMPLES

SCRIPT = EXAMPLES / "probe.py"


def test_it_is_short_and_its_recipe_resolves():
    assert len(SCRIPT.read_text("utf-8").splitlines()) <= 120
    recipe = read(runpy.run_path(str(SCRIPT))["RECIPE"])
    assert len({one.setting.name for one in resolve(recipe)}) == 3


def test_it_shows_a_probe_of_its_own_on_a_study(study, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(study.folder)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["label", "arm", "seed", "value"]
    values = [float(line.split()[-1]) for line in lines[:-1] if "against" not in line]
    assert len(values) == 12 and all(0 < value < math.log(2) for value in values)
    assert any(line.startswith("gate against leakage at none: ") for line in lines)
    table = study.diagnostics()["gate"]
    assert table["value"].tolist() == pytest.approx(values, abs=1e-5)
