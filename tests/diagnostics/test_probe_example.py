"""examples/probe.py: short, its own study is a recipe that resolves, and it runs as it is."""

from __future__ import annotations

import math
import runpy
import sys
import tempfile

import pytest

from caveat.study.config.resolve import resolve
from caveat.study.config.schema import read
from caveat.study.study import Study
from paths import EXAMPLES

SCRIPT = EXAMPLES / "probe.py"


def test_it_is_short_and_its_recipe_resolves():
    assert len(SCRIPT.read_text("utf-8").splitlines()) <= 120
    recipe = read(runpy.run_path(str(SCRIPT))["RECIPE"])
    assert len({one.setting.name for one in resolve(recipe)}) == 3


def test_it_makes_a_study_and_shows_a_probe_of_its_own(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(SCRIPT)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    output = capsys.readouterr().out
    header, *lines = output.splitlines()
    assert header.split() == ["label", "arm", "seed", "value"]
    values = [float(line.split()[-1]) for line in lines if "against" not in line]
    assert len(values) == 9 and all(0 < value < math.log(2) for value in values)
    assert any(line.startswith("gate against leakage at none: ") for line in lines)
    (folder,) = tmp_path.glob("*/study")
    assert Study.open(folder).diagnostics()["gate"]["value"].tolist() == pytest.approx(
        values, abs=1e-5
    )
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(folder)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert capsys.readouterr().out == output
